"""REST: what rules come to, and why customers are in segments or not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from customers.insight.catalogue import metadata_keys, total_customers
from customers.insight.counting import preview
from customers.insight.linting import lint
from customers.insight.near import SAMPLES, near_misses
from customers.models import Customer
from customers.rules.explaining import explain
from customers.rules.faces import DatabaseNames, write_sentence, write_text
from customers.rules.periods import Moment
from customers.rules.tree import Group, leaves, to_json
from customers.segments.backtesting import backtest
from customers.segments.editing import time_zone_named
from customers.segments.given import SEES_CUSTOMERS, SEES_WHO, given_rule, masked, placed
from customers.segments.models import Segment
from customers.segments.overlapping import overlap
from customers.segments.serializers import (
    BacktestBody,
    CustomerQuery,
    ExplanationBody,
    MetadataKeyBody,
    NearMissBody,
    OverlapBody,
    OverlapQuery,
    PreviewBody,
    RuleToPreview,
    RuleToTest,
)
from parlant_site.common.errors import BadInput
from parlant_site.common.permissions import Needed
from parlant_site.common.personal import may
from parlant_site.common.schema import answers
from parlant_site.common.serializers import Input
from parlant_site.common.views import ContractViewSet


class RuleViewSet(ContractViewSet):
    """What rules say of customers."""

    queryset = Segment.objects.all()
    filter_backends = ()
    needs: ClassVar[Mapping[str, Needed]] = {
        "preview": "customers.view_segment",
        "backtest": "customers.view_segment",
        "overlap": "customers.view_segment",
        "explain": SEES_WHO,
        "near_misses": "customers.view_segment",
        "metadata_keys": "customers.view_segment",
    }

    def segment(self) -> Segment:
        """Answer the segment of the path; NotFound."""
        found: Segment = self.find(Segment.objects.all(), self.kwargs["id"])
        return found

    @extend_schema(request=RuleToPreview, responses=answers(200, PreviewBody))
    def preview(self, request: Request) -> Response:
        """Count whom a rule matches, in all and node by node, and show the newest of them; nothing is kept.

        Counts are exact within 400 ms, or estimates that say so. The answer has the rule in its three faces. Who may
        not see customers gets no sample.
        """
        given, rule, zone = self._rule(RuleToPreview)
        names = DatabaseNames()
        faces = {"rule": to_json(rule), "text": write_text(rule, names), "sentence": write_sentence(rule, names)}
        moment = Moment(timezone.now(), zone)
        hints = {"lint": [hint.to_json() for hint in lint(rule, moment, names)]}
        samples = given["samples"] if may(SEES_CUSTOMERS) else 0
        return Response({**faces, **preview(rule, moment, samples=samples).to_json(), **hints})

    @extend_schema(request=RuleToTest, responses=answers(200, BacktestBody))
    def backtest(self, request: Request) -> Response:
        """Say how large a rule's segment would have been on each of the last days, from what was recorded.

        Estimated from 5,000 customers when there are more. `as_of_today` names the fields of the rule of which no past
        is recorded: today's values stand for all days.
        """
        given, rule, zone = self._rule(RuleToTest)
        found = backtest(rule, zone=zone, days=given["days"])
        return Response(BacktestBody(found).data)

    def _rule(self, shape: type[Input]) -> tuple[dict[str, Any], Group, ZoneInfo]:
        """Answer the body, its rule and its time zone."""
        given = self.body(shape)
        rule = given_rule(given)
        if rule is None:
            raise BadInput.at("body", "rule", msg="Give a `rule`, a `text` or a `sentence`", type="missing")
        with placed("body"):
            return given, rule, ZoneInfo(time_zone_named(given.get("time_zone", "")) or settings.TIME_ZONE)

    @extend_schema(parameters=[CustomerQuery], responses=answers(200, ExplanationBody, refusals=(404,)))
    def explain(self, request: Request, id: str) -> Response:
        """Say why a customer is in a segment, or not: the rule as a tree, with yes or no, value and distance.

        `is_in` is the membership; `holds` of the rule is what the rule says now, which a pin may overrule.
        """
        segment, key = self.segment(), self.query(CustomerQuery)["customer_id"]
        customer = Customer.at(key)
        pin = segment.pins.filter(customer=customer).first()
        shown: dict[str, Any] = {
            "segment_id": segment.pk,
            "customer_id": customer.pk,
            "is_in": segment.members.filter(customer=customer).exists(),
            "pin": pin and {"is_in": pin.is_in, "reason": pin.reason},
            "rule": None if segment.is_static else explain(segment.tree, customer.pk, segment.moment()).to_json(),
        }
        return Response(shown)

    @extend_schema(responses=answers(200, NearMissBody(many=True), refusals=(404,)))
    def near_misses(self, request: Request, id: str) -> Response:
        """Count, leaf by leaf, the customers who are kept out by this leaf alone, and show some of them.

        Who may not see customers gets no samples.
        """
        segment, samples = self.segment(), SAMPLES if may(SEES_CUSTOMERS) else 0
        if segment.is_static:
            return Response([])
        missed = near_misses(segment.tree, segment.moment(), samples=samples)
        shown = dict(leaves(masked(segment.tree)))
        return Response([replace(miss, leaf=shown[miss.path]).to_json() for miss in missed])

    @extend_schema(parameters=[OverlapQuery], responses=answers(200, OverlapBody(many=True), refusals=(404,)))
    def overlap(self, request: Request) -> Response:
        """Count the members that segments have in common: every combination of 1 to 4 of them."""
        keys = self.query(OverlapQuery)["ids"].split(",")
        segments = [self.find(Segment.objects.all(), key) for key in keys[:5]]
        with placed("query"):
            return Response([one.to_json() for one in overlap(segments)])

    @extend_schema(responses=answers(200, MetadataKeyBody(many=True)))
    def metadata_keys(self, request: Request) -> Response:
        """List the metadata keys that customers have, the most frequent first: types, fill rate, top values.

        Current within a minute. Values of personal keys are not told to who may not see them.
        """
        total = total_customers()
        return Response([key.to_json(total) for key in metadata_keys()])
