"""What a customer's page shows of her conversations."""

from __future__ import annotations

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from customers.admin.panels import add_panel
from customers.models import Customer
from sessions_app.admin.sessions import state_of
from sessions_app.models import Session

SHOWN = 8


@add_panel
def recent_sessions(request: HttpRequest, customer: Customer) -> SafeString | str:
    """Show the newest conversations, for those who may see conversations."""
    if not request.user.has_perm("sessions_app.view_session"):
        return ""
    newest = (
        Session.objects.of_customer(customer.pk).select_related("agent").order_by("-creation_utc", "-id")[: SHOWN + 1]
    )
    rows = [(session, state_of(session)) for session in newest]
    context = {"customer": customer, "rows": rows[:SHOWN], "more": len(rows) > SHOWN}
    return render_to_string("admin/sessions_app/recent_sessions.html", context, request)
