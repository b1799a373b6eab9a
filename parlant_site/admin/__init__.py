"""Users, roles, API tokens and the audit in the console."""

from parlant_site.admin.audit import AuditAdmin
from parlant_site.admin.tokens import TokenAdmin
from parlant_site.admin.users import OperatorAdmin, RoleAdmin

__all__ = ["AuditAdmin", "OperatorAdmin", "RoleAdmin", "TokenAdmin"]
