"""Which column says what of a customer: id, name, tags, a metadata key, all metadata as JSON, or nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from parlant_site.common.errors import BadInput
from parlant_site.common.json import UnusableJSON, check
from parlant_site.common.personal import sight

METADATA = "metadata."
ALL_METADATA = "metadata"  # of CSV: an object in one cell, as an export with very many keys writes it
FIELDS = ("id", "name", "tags", ALL_METADATA)
IGNORED = ""

_USUAL = {
    "id": ("id", "customerid", "userid", "externalid", "customer"),
    "name": ("name", "fullname", "customername", "displayname"),
    "tags": ("tags", "tag", "labels"),
}
# What an export says and an import cannot: it is kept by what customers do.
READ_ONLY = frozenset({"creation_utc", "first_seen", "last_seen", "conversations", "problem"})


def guess(column: str) -> str:
    """Answer what a column probably says; what is not known otherwise is a metadata key."""
    plain = "".join(sign for sign in column.casefold() if sign.isalnum())
    for field, names in _USUAL.items():
        if plain in names:
            return field
    if column in READ_ONLY:
        return IGNORED
    return column if column.startswith(METADATA) or column == ALL_METADATA else f"{METADATA}{column}"


def guess_all(columns: Iterable[str]) -> dict[str, str]:
    """Answer what each column probably says; no two say the same, the first has it."""
    taken: set[str] = set()
    made = {}
    for column in columns:
        target = guess(column)
        if target in taken:
            target = f"{METADATA}{column}" if f"{METADATA}{column}" not in taken else IGNORED
        made[column] = target
        taken |= {target} - {IGNORED}
    return made


def checked_mapping(mapping: Mapping[str, str], columns: Iterable[str]) -> dict[str, str]:
    """Answer a mapping of all columns; BadInput for a target that is none or is there twice, or when none is."""
    known = list(columns)
    seen: dict[str, str] = {}
    made = {}
    for column in mapping:
        if column not in known:
            raise BadInput.at("mapping", column, msg=f"There is no column {column!r}; there are {', '.join(known)}")
    for column in known:
        target = mapping.get(column, IGNORED)
        if target not in (IGNORED, *FIELDS):
            if not target.startswith(METADATA):
                known_targets = f"{', '.join(FIELDS)} or {METADATA}KEY"
                raise BadInput.at("mapping", column, msg=f"Should be {known_targets}, not {target!r}")
            _check_key(column, target[len(METADATA) :])
        if target and target in seen:
            raise BadInput.at("mapping", column, msg=f"{seen[target]!r} and {column!r} both say {target}")
        if target:
            seen[target] = column
        made[column] = target
    if not seen:
        raise BadInput.at("mapping", msg="No column says anything of a customer")
    if "id" not in seen and "name" not in seen:
        raise BadInput.at("mapping", msg="Say which column is the id, or the name of new customers")
    return made


def _check_key(column: str, key: str) -> None:
    try:
        check(key)
    except UnusableJSON as error:
        raise BadInput.at("mapping", column, msg=str(error)) from None
    if sight().hides(key):
        raise BadInput.at("mapping", column, msg=f"{key}: personal data, which you may not see or change")
