"""What stands beside a customer's form. Other apps add to it: customers know nothing of sessions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.utils.safestring import SafeString

from customers.models import Customer

Panel = Callable[[HttpRequest, Customer], SafeString | str]
_panels: list[Panel] = []


def add_panel(panel: Panel) -> Panel:
    """Show a panel on every customer's page."""
    _panels.append(panel)
    return panel


def panels(request: HttpRequest, customer: Customer) -> list[Any]:
    """Answer the panels that have something to show."""
    return [shown for panel in _panels if (shown := panel(request, customer))]
