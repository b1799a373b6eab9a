from django.apps import AppConfig


class ParlantSiteConfig(AppConfig):
    """What puts the apps together: commands, checks, the operators' site."""

    name = "parlant_site"
    verbose_name = "Parlant Site"
