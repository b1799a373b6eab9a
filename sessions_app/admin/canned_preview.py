"""What a canned response would say to a chosen customer, shown beside its form."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _

from customers.models import Customer
from customers.segments.past import names_of_segments
from sessions_app.engine.conversation import Conversation
from sessions_app.engine.wording import Candidate, NotSaid, bearing_of, say, values_for
from sessions_app.models import Agent, Event, Session

OFFERED_AGENTS = 100
MAY_SEE_CUSTOMERS = ("customers.view_customer", "customers.view_pii")


@dataclass(frozen=True)
class Preview:
    """The text that a customer would read, or why she would not."""

    customer: Customer
    agent: Agent
    text: str = ""
    problem: str = ""


def find_customer(request: HttpRequest, words: str) -> Customer | None:
    """Answer the customer with this id, or the first one whose name has the words; only for those who may see her."""
    if not words or "\0" in words or not request.user.has_perms(MAY_SEE_CUSTOMERS):
        return None
    exact = Customer.objects.filter(pk=words).first()
    return exact or Customer.objects.filter(name__icontains=words).order_by("name", "id").first()


def preview(candidate: Candidate, customer: Customer, agent: Agent) -> Preview:
    """Answer what the candidate says, from a session that begins now."""
    links = customer.tag_links.select_related("tag")
    conversation = Conversation(
        session=Session(customer=customer, customer_ref=customer.pk, agent_ref=agent.pk),
        agents=[agent],
        customer=customer,
        tags={link.tag_id: link.tag.name for link in links},
        segments=names_of_segments(customer.pk),
        labels=[],
        events=[],
        ask=Event(),
    )
    try:
        text = say(candidate, values_for(conversation, agent), bearing_of(conversation, agent))
    except NotSaid as reason:
        return Preview(customer, agent, problem=str(reason))
    return Preview(customer, agent, text)


@dataclass
class Previewing:
    """The panel: for whom and in whose words, as the operator chose, and what comes of it."""

    request: HttpRequest
    candidate: Candidate | None

    @property
    def words(self) -> str:
        """What was typed to find a customer."""
        return self.request.POST.get("preview_for", "").strip()

    @property
    def may_choose(self) -> bool:
        """Whether the operator may look customers up."""
        return self.request.user.has_perms(MAY_SEE_CUSTOMERS)

    @property
    def agents(self) -> list[tuple[str, str, bool]]:
        """The agents that are offered: id, name, and whether it is chosen."""
        chosen = self.request.POST.get("preview_agent", "")
        rows = Agent.objects.order_by("name").values_list("pk", "name")[:OFFERED_AGENTS]
        return [(key, name, key == chosen) for key, name in rows]

    @property
    def missing(self) -> bool:
        """Whether a customer was asked for who is not there."""
        return bool(self.words) and self.customer is None

    @cached_property
    def customer(self) -> Customer | None:
        """Who was asked for; None: nobody was, or she is not there."""
        return find_customer(self.request, self.words)

    @property
    def shown(self) -> Preview | None:
        """What is said to her, or to the guest when nobody was asked for."""
        if self.candidate is None or self.missing:
            return None
        chosen = self.request.POST.get("preview_agent", "").replace("\0", "")
        agents: Any = Agent.objects.order_by("name").prefetch_related("tag_links")
        agent = (agents.filter(pk=chosen).first() if chosen else None) or agents.first()
        return preview(self.candidate, self.customer or Customer.guest(), agent or Agent(name=_("the agent")))
