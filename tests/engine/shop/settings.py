"""Settings of a site with an application of its own."""

from parlant_site.settings import *  # noqa: F403

INSTALLED_APPS = [*INSTALLED_APPS, "tests.engine.shop"]  # noqa: F405
