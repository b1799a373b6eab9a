"""The paths of the site."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path, re_path
from drf_spectacular.views import SpectacularSwaggerView

from parlant_site import site_views

urlpatterns: list[URLPattern | URLResolver] = [
    path("admin/", admin.site.urls),
    path("", include("tags.urls")),
    path("", include("customers.urls")),
    path("", include("sessions_app.urls")),
    path("healthz", site_views.health),
    path("openapi.json", site_views.openapi, name="openapi"),
    path(
        "docs",
        SpectacularSwaggerView.as_view(url_name="openapi", permission_classes=[], throttle_classes=[]),
        name="docs",
    ),
    re_path(r"^(?P<path>.+)/$", site_views.without_slash),
    re_path(r"", site_views.not_found),
]
handler400 = "parlant_site.site_views.bad_request"
handler500 = "parlant_site.site_views.server_error"
