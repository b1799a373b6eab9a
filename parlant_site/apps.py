from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps
from django.db.models.signals import post_migrate, pre_migrate


class ParlantSiteConfig(AppConfig):
    """What puts the apps together: commands, checks, the operators' site."""

    name = "parlant_site"
    verbose_name = "Parlant Site"

    def ready(self) -> None:
        """Register the checks; grant the roles their permissions after all other apps, whose permissions then exist."""
        from parlant_site import checks  # noqa: F401 - registers them
        from parlant_site.roles import RoleGrants

        grants = RoleGrants()
        pre_migrate.connect(grants.look, sender=self, weak=False)
        post_migrate.connect(grants.grant, sender=self, weak=False)


class ConsoleConfig(admin_apps.AdminConfig):
    """Django's admin, with the operators' site as the one that apps register with."""

    default = False
    default_site = "parlant_site.console.OperatorsSite"
