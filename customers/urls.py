"""Paths of customers and segments."""

from django.urls import path

from customers.segments.members_views import SegmentPartViewSet
from customers.segments.rule_views import RuleViewSet
from customers.segments.views import SegmentViewSet
from customers.views import CustomerViewSet
from parlant_site.common.routing import collection

_part = "segments/<str:id>"

urlpatterns = [
    *collection("customers", CustomerViewSet),
    path("metadata_keys", RuleViewSet.as_view({"get": "metadata_keys"})),
    # Before the paths of single segments: no segment has these ids.
    path("segments/preview", RuleViewSet.as_view({"post": "preview"})),
    path("segments/backtest", RuleViewSet.as_view({"post": "backtest"})),
    path("segments/overlap", RuleViewSet.as_view({"get": "overlap"})),
    *collection("segments", SegmentViewSet),
    path(f"{_part}/members", SegmentPartViewSet.as_view({"get": "members", "patch": "change_members"})),
    path(f"{_part}/events", SegmentPartViewSet.as_view({"get": "events"})),
    path(f"{_part}/days", SegmentPartViewSet.as_view({"get": "days"})),
    path(f"{_part}/explain", RuleViewSet.as_view({"get": "explain"})),
    path(f"{_part}/near_misses", RuleViewSet.as_view({"get": "near_misses"})),
    path(f"{_part}/runs", SegmentPartViewSet.as_view({"get": "runs", "post": "refresh"})),
    path(f"{_part}/pins", SegmentPartViewSet.as_view({"get": "pins", "post": "pin"})),
    path(f"{_part}/pins/<str:customer_id>", SegmentPartViewSet.as_view({"delete": "unpin"})),
]
