"""The ASGI application, composed: what HTTP, WebSocket and lifespan messages meet, in this order."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "parlant_site.settings")
# Before anything that imports models.
django.setup(set_prefix=False)

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402

from parlant_site.common.lanes import OnLanes, lanes_for  # noqa: E402
from parlant_site.handler import Handler  # noqa: E402
from parlant_site.lifespan import Lifespan  # noqa: E402
from parlant_site.static_files import StaticFiles  # noqa: E402
from sessions_app.longpoll import HoldPolls  # noqa: E402
from sessions_app.routing import websocket_urlpatterns  # noqa: E402

application = ProtocolTypeRouter(
    {
        "http": StaticFiles(HoldPolls(OnLanes(Handler(), choose=lanes_for))),
        # Sockets live long: they take a lane for each look at the database (on_lane), none for themselves.
        "websocket": URLRouter(websocket_urlpatterns),
        "lifespan": Lifespan(),
    }
)
