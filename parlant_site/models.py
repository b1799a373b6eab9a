"""The models of the site as a whole."""

from parlant_site.common.audit import AuditEntry

__all__ = ["AuditEntry"]
