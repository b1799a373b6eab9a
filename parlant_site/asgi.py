"""The ASGI application: composition only."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "parlant_site.settings")

application = get_asgi_application()
