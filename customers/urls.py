"""Paths of customers."""

from customers.views import CustomerViewSet
from parlant_site.common.routing import collection

urlpatterns = collection("customers", CustomerViewSet)
