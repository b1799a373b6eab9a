"""A customer's bundle and her erasure in the console."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from customers.admin.bulk_forms import BulkAction, bulk_action
from customers.admin.customer_pages import customer_page
from customers.admin.sorts import sorts_of
from customers.models import Customer
from customers.parts import Conversations
from customers.privacy.bundle import write_bundle
from customers.privacy.erasing import erase, preview
from parlant_site.common.console.downloads import download
from parlant_site.common.console.markup import list_of
from parlant_site.common.console.pages import ConsoleAdmin
from parlant_site.common.errors import Refusal

WORD = "ERASE"
CHOICES = [
    (Conversations.REDACT.value, _("Keep their course, without any text and under a pseudonym")),
    (Conversations.DELETE.value, _("Delete them")),
]


def privacy_pages(admin: ConsoleAdmin) -> list[URLPattern]:
    """Answer the paths of bundle and erasure."""
    return [
        customer_page(admin, "bundle", bundle_view, permission="customers.export"),
        customer_page(admin, "erase", erase_view, permission="customers.erase"),
    ]


def bundle_view(request: HttpRequest, customer: Customer, context: dict[str, Any]) -> HttpResponseBase:
    """Send everything about her as a file; asked for by a form, because it is noted in the audit."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    try:
        return download(write_bundle(customer.pk), name=f"customer-{customer.pk}.json", content_type="application/json")
    except Refusal as refusal:
        messages.error(request, refusal.detail)
        return HttpResponseRedirect("../change/")


class ErasureForm(forms.Form):
    """What becomes of the conversations, and her id, typed."""

    conversations = forms.ChoiceField(
        label=_("Her conversations"), choices=CHOICES, widget=forms.RadioSelect, required=True
    )
    typed = forms.CharField(
        label=_("Type her id to confirm"),
        strip=True,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "dir": "auto"}),
    )

    def __init__(self, *args: Any, customer: Customer, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.customer = customer

    def clean_typed(self) -> str:
        """Refuse another id."""
        typed: str = self.cleaned_data["typed"]
        if typed != self.customer.pk.strip():
            raise forms.ValidationError(_("This is not her id."))
        return typed


def erase_view(request: HttpRequest, customer: Customer, context: dict[str, Any]) -> HttpResponse:
    """Show what will go; erase her when the form was sent and her id typed."""
    form = ErasureForm(request.POST if request.method == "POST" else None, customer=customer)
    try:
        if request.method == "POST" and form.is_valid():
            [proof] = erase([customer.pk], conversations=Conversations(form.cleaned_data["conversations"]))
            text = _("Erased. The proof has the number {}.")
            if request.user.has_perm("customers.view_erasure"):
                text = _('Erased. <a href="{}">The proof</a> says so.')
            messages.success(request, format_html(str(text), _proof_link(request, proof.pk)))
            return HttpResponseRedirect(reverse("admin:customers_customer_changelist"))
        sorts = sorts_of(preview(customer.pk))
    except Refusal as refusal:
        messages.error(request, refusal.detail)
        return HttpResponseRedirect("../change/")
    context |= {"title": _("Erase %s") % customer.name, "form": form, "sorts": sorts}
    return TemplateResponse(request, "admin/customers/customer/erase.html", context)


def _proof_link(request: HttpRequest, number: int) -> Any:
    may = request.user.has_perm("customers.view_erasure")
    return list_of("customers_erasure") if may else number


@bulk_action
class EraseForm(BulkAction):
    """Erase all customers of the selection."""

    kind = "erase"
    button = ngettext_lazy("Erase %(n)s customer", "Erase %(n)s customers", "count")
    warning = _("Erasing cannot be undone. Of each customer, only a proof that she was erased stays.")

    conversations = forms.ChoiceField(
        label=_("Their conversations"), choices=CHOICES, widget=forms.RadioSelect, required=True
    )
    typed = forms.CharField(
        label=_("Type %s to confirm") % WORD,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )

    def clean_typed(self) -> str:
        """Refuse another word."""
        if self.cleaned_data["typed"] != WORD:
            raise forms.ValidationError(_("Type %s, in capitals.") % WORD)
        return WORD

    def parameters(self) -> dict[str, Any]:
        """Answer what becomes of the conversations."""
        return {"conversations": self.cleaned_data["conversations"]}
