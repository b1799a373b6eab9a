"""How people call the sorts of rows that an erasure removes or redacts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

NAMES: dict[str, Any] = {
    "customers": _("Profiles"),
    "tags": _("Tags put on"),
    "segment_members": _("Memberships of segments"),
    "segment_events": _("Times that segments were entered or left"),
    "segment_pins": _("Pins in segments"),
    "sessions": _("Conversations"),
    "events": _("Events of conversations"),
    "audit_entries": _("Entries of the audit"),
    "admin_log": _("Entries of the admin’s own log"),
    "merges": _("Merges"),
    "data_jobs": _("Data jobs that name her"),
    "data_job_problems": _("Problems of data jobs"),
    "data_job_files": _("Files of data jobs"),
}


def sorts_of(counts: Mapping[str, int]) -> list[tuple[Any, int]]:
    """Answer names and numbers, in a settled order."""
    known = [name for name in NAMES if name in counts]
    others = [name for name in counts if name not in NAMES]
    return [(NAMES.get(name, name.replace("_", " ")), counts[name]) for name in [*known, *others]]
