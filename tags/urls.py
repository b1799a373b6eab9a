"""Paths of tags."""

from parlant_site.common.routing import collection
from tags.views import TagViewSet

urlpatterns = collection("tags", TagViewSet)
