"""The ASGI application, composed: what HTTP, WebSocket and lifespan messages meet, in this order."""

import os
from typing import Any

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "parlant_site.settings")
# Before anything that imports models.
django_application = get_asgi_application()

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402

from parlant_site.common.lanes import OnLanes, lanes_for  # noqa: E402
from parlant_site.lifespan import Lifespan  # noqa: E402
from parlant_site.static_files import StaticFiles  # noqa: E402

websocket_urlpatterns: list[Any] = []

application = ProtocolTypeRouter(
    {
        "http": StaticFiles(OnLanes(django_application, choose=lanes_for)),
        "websocket": OnLanes(URLRouter(websocket_urlpatterns), choose=lanes_for),
        "lifespan": Lifespan(),
    }
)
