"""REST: customers."""

from contextlib import nullcontext
from typing import Any, ClassVar, cast

from django.db.models import QuerySet
from django.utils import timezone
from django_filters import FilterSet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from customers.insight.limits import time_limited
from customers.models import GUEST_ID, Customer
from customers.querysets import CustomerQuerySet
from customers.rules.periods import Moment
from customers.rules.reading import InvalidRule
from customers.segments.given import read_face, seen, seen_segment
from customers.serializers import CustomerBody, CustomerChange, NewCustomer
from parlant_site.common.errors import BadInput
from parlant_site.common.filters import TextFilter
from parlant_site.common.pagination import PageQuery, page_of
from parlant_site.common.personal import sight
from parlant_site.common.schema import answers
from parlant_site.common.serializers import TextMetadataPatch
from parlant_site.common.views import ContractViewSet
from tags.models import Tag

LONGEST = 10.0  # seconds for customers whom a rule matches


def _in_segment(rows: QuerySet[Any], key: str) -> QuerySet[Any]:
    return cast(CustomerQuerySet, rows).in_segment(seen_segment(key))


def _matching(rows: QuerySet[Any], text: str) -> QuerySet[Any]:
    try:
        rule = seen(read_face("text", text))
    except InvalidRule as invalid:
        raise invalid.under("query", "q") from None
    return cast(CustomerQuerySet, rows).matching(rule, Moment(timezone.now(), timezone.get_default_timezone()))


class CustomerFilter(FilterSet):
    """Which customers to list."""

    segment = TextFilter(_in_segment, help_text="The id of a segment: its members")
    q = TextFilter(_matching, help_text="A rule as text, such as: tag:VIP and metadata.mrr > 500")


class CustomerViewSet(ContractViewSet):
    """Customers are anyone who interacts with an agent; `guest` stands for everybody who is not registered."""

    queryset = Customer.objects.prefetch_related("tag_links")
    serializer_class = CustomerBody
    filterset_class = CustomerFilter
    needs: ClassVar[dict[str, str]] = {
        "list": "customers.view_customer",
        "retrieve": "customers.view_customer",
        "create": "customers.add_customer",
        "partial_update": "customers.change_customer",
        "destroy": "customers.delete_customer",
    }

    @extend_schema(parameters=[PageQuery], responses=answers(200, page_of(CustomerBody, "Customer"), refusals=(404,)))
    def list(self, request: Request) -> Response:
        """List customers: the guest first, then by creation; members of a segment, or whom a rule matches.

        422 for a rule that takes longer than ten seconds.
        """
        asks = "q" in request.query_params  # a pattern may take long for each of a million customers
        with time_limited(LONGEST) if asks else nullcontext():
            page = self.page(self.filter_queryset(self.get_queryset()), first=GUEST_ID)
        return Response(page.render(CustomerBody(page.rows, many=True).data))

    @extend_schema(request=NewCustomer, responses=answers(201, CustomerBody, refusals=(404,)))
    def create(self, request: Request) -> Response:
        """Register a customer; 404 for an unknown tag, 422 when the id is taken."""
        given = self.body(NewCustomer)
        tags = Tag.objects.with_ids(given.pop("tags", []))
        return Response(CustomerBody(Customer.register(tags=tags, **given)).data, status=201)

    @extend_schema(responses=answers(200, CustomerBody, refusals=(404,)))
    def retrieve(self, request: Request, id: str) -> Response:
        """Read a customer; the id of one who was merged answers with the customer into whom she was merged."""
        return Response(CustomerBody(Customer.at(id, self.get_queryset())).data)

    @extend_schema(request=CustomerChange, responses=answers(200, CustomerBody, refusals=(404,)))
    def partial_update(self, request: Request, id: str) -> Response:
        """Change a customer, all or nothing; 404 for an unknown tag and for one to remove that she does not bear.

        422 for personal keys whose values the caller may not see; masks that come back leave them as they are.
        """
        customer = Customer.at(id)
        given = self.body(CustomerChange)
        changes = TextMetadataPatch.changes(given.get("metadata"))
        changes["set_metadata"] = sight().without_masks(changes["set_metadata"])
        for act, keys in (("set", changes["set_metadata"]), ("unset", changes["unset_metadata"])):
            if hidden := [key for key in keys if sight().hides(key)]:
                msg = "Personal data, which you may not see or change"
                raise BadInput.at("body", "metadata", act, hidden[0], msg=msg)
        customer.amend(
            name=given.get("name"),
            **changes,
            **given.get("tags", {}),
        )
        return Response(CustomerBody(customer).data)

    @extend_schema(responses=answers(204, refusals=(404,)))
    def destroy(self, request: Request, id: str) -> Response:
        """Delete a customer; the sessions stay. 422 for the guest."""
        self.find(Customer.objects.all(), id).remove()
        return Response(status=204)
