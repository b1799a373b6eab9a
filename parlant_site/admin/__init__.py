"""Users, roles and API tokens in the console."""

from parlant_site.admin.tokens import TokenAdmin
from parlant_site.admin.users import OperatorAdmin, RoleAdmin

__all__ = ["OperatorAdmin", "RoleAdmin", "TokenAdmin"]
