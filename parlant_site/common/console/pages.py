"""The base of the console's admin classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db import models, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from parlant_site.common.console.forms import ContractForm
from parlant_site.common.console.keyset import Order
from parlant_site.common.console.listing import Column, Filter, Listing
from parlant_site.common.console.markup import audit_of
from parlant_site.common.errors import Refusal

NEWEST = Order("created", _("Created"), "creation_utc")
OLDEST = Order("-created", _("Created"), "creation_utc", descending=False)


class ConsoleAdmin(admin.ModelAdmin):
    """An admin class with a keyset list, whose forms write through model methods."""

    orders: Sequence[Order] = (NEWEST, OLDEST)
    filters: Sequence[type[Filter]] = ()
    actions = None
    change_form_template = "admin/console/change_form.html"
    read_fields: Sequence[str] = ()
    list_title: Any = ""
    add_text: Any = ""
    new_title: Any = ""
    empty_text: Any = _("Nothing here yet.")
    search_hint: Any = ""
    deleting: Any = ""
    deletes: Any = _("Delete")
    has_change_page = True
    opens_on = "change"  # the page to which a row's name leads
    delete_confirmation_template = "admin/console/delete.html"

    def columns(self, request: HttpRequest) -> Sequence[Column]:
        """Answer the columns of the list."""
        raise NotImplementedError

    def search(self, rows: models.QuerySet[Any], words: str) -> models.QuerySet[Any]:
        """Answer the rows that match the words; only asked when there is a search_hint."""
        return rows

    def fixed_filters(self, request: HttpRequest) -> Sequence[str]:
        """Answer the names of filters that make the page what it is, such as the list of one customer."""
        return ()

    def listing(self, request: HttpRequest) -> Listing:
        """Answer the list for a request."""
        return Listing(
            request,
            self.get_queryset(request),
            columns=self.columns(request),
            orders=self.orders,
            filters=[each() for each in self.filters],
            search=self.search if self.search_hint else None,
            fixed=self.fixed_filters(request),
        )

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the list."""
        listing = (extra_context or {}).get("listing")
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "title": self.list_title or str(self.opts.verbose_name_plural).capitalize(),
            "opts": self.opts,
            "listing": listing or self.listing(request),
            "empty_text": self.empty_text,
            "search_hint": self.search_hint,
            "add_text": self.add_text,
            "has_add_permission": self.has_add_permission(request),
            **(extra_context or {}),
        }
        request.current_app = self.admin_site.name
        names = [
            f"admin/{self.opts.app_label}/{self.opts.model_name}/list.html",
            "admin/console/list.html",
        ]
        return TemplateResponse(request, names, context)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """Answer the form class, told of the request."""
        if not issubclass(self.form, ContractForm):
            return super().get_form(request, obj, change=change, **kwargs)
        # Those who may only look read the same labels; what helps to fill in a field is left out.
        form: Any = self.form
        labels = {name: field.label for name, field in form.base_fields.items() if field.label}
        meta = type("Meta", (form.Meta,), {"labels": labels, "help_texts": dict.fromkeys(labels, "")})
        return type(self.form.__name__, (self.form,), {"request": request, "Meta": meta})

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Answer the fields of the form; for those who may only look, what is read instead."""
        if not issubclass(self.form, ContractForm):
            return super().get_fields(request, obj)
        if obj is not None and not self.has_change_permission(request, obj):
            return self.read_fields
        return [name for name in self.form.base_fields if not (name == "id" and obj is not None)]

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Answer the row, or None; no database can keep a NUL character, so no id has one."""
        return None if "\0" in object_id else super().get_object(request, object_id, from_field)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """Show or save the form; what the model refuses comes back as an error of the form."""
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except Refusal as refusal:
            request.refusal = refusal  # type: ignore[attr-defined]
            return super().changeform_view(request, object_id, form_url, extra_context)

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Show the form, with the way to what was changed before."""
        context |= {"list_title": self.list_title, "new_title": self.new_title}
        if (original := context.get("original")) is not None:
            context["audit_link"] = self.audit_link(request, original)
        return super().render_change_form(request, context, *args, **kwargs)

    def audit_link(self, request: HttpRequest, row: Any) -> str:
        """Answer the address of what was changed of a row; "" for those who may not see it."""
        return audit_of(request.user, str(self.opts.model_name), row.pk)

    def save_form(self, request: HttpRequest, form: Any, change: bool) -> Any:
        """Write through the model's own method and answer the row."""
        return form.write() if isinstance(form, ContractForm) else super().save_form(request, form, change)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Leave a row alone that save_form has written."""
        if not isinstance(form, ContractForm):
            super().save_model(request, obj, form, change)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Leave related rows alone that save_form has written."""
        if not isinstance(form, ContractForm):
            super().save_related(request, form, formsets, change)

    def missing(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Say that there is no such row, on the list; on the home page to those who may not see the list."""
        said = _("%(name)s with ID “%(key)s” doesn’t exist. Perhaps it was deleted?")
        name = capfirst(str(self.opts.verbose_name))
        self.message_user(request, said % {"name": name, "key": unquote(object_id)}, messages.WARNING)
        page = f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist"
        return HttpResponseRedirect(reverse(page if self.has_view_permission(request) else "admin:index"))

    def _get_obj_does_not_exist_redirect(self, request: HttpRequest, opts: Any, object_id: str) -> HttpResponse:
        return self.missing(request, object_id)

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Lead to what was changed of the object: the audit knows it, whatever the channel."""
        audit = audit_of(request.user, str(self.opts.model_name), unquote(object_id))
        if not audit or not self.has_view_permission(request):
            raise PermissionDenied
        return HttpResponseRedirect(audit)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[Any, Any, set[str], list[str]]:
        """Answer what a deletion takes along, without loading it: an object may have a hundred thousand rows."""
        denied = {str(self.opts.verbose_name) for obj in objs if not self.has_delete_permission(request, obj)}
        return [str(obj) for obj in objs], {}, denied, []

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> Any:
        """Ask, then delete; what the model refuses is said on the list."""
        try:
            with transaction.atomic():
                more = {
                    "list_title": self.list_title,
                    "consequence": self.deleting,
                    "deletes": self.deletes,
                    "has_change_page": self.has_change_page,
                    **(extra_context or {}),
                }
                return super().delete_view(request, object_id, more)
        except Refusal as refusal:
            self.message_user(request, refusal.detail, messages.ERROR)
            return self.response_delete_refused(request)

    def response_delete_refused(self, request: HttpRequest) -> HttpResponse:
        """Go back to the list, where the reason is shown."""
        return HttpResponseRedirect(
            reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist", current_app=self.admin_site.name)
        )

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        """Delete through the model's own method where it has one."""
        obj.remove() if hasattr(obj, "remove") else obj.delete()
