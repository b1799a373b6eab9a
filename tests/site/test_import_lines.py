"""Imports run in one line: common < tags < customers < sessions_app < parlant_site; and so do those of rules."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.processes import ROOT

# Inside of customers: the rule language knows no numbers, and neither knows segments.
RULES = ["customers.rules", "customers.insight", "customers.segments"]
ORDER = ["parlant_site.common", "tags", "customers", "sessions_app", "parlant_site"]


def layer_of(module: str) -> str | None:
    """Answer the layer that a module belongs to; None for a library."""
    return next((layer for layer in ORDER if module == layer or module.startswith(f"{layer}.")), None)


def imported_at_module_level(tree: ast.Module) -> Iterator[str]:
    """Answer what a module imports when it is loaded, `if TYPE_CHECKING:` left out."""
    for node in tree.body:
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)


def files_of(layer: str) -> Iterator[Path]:
    for path in (ROOT / layer.replace(".", "/")).rglob("*.py"):
        inner = path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
        if layer_of(inner) == layer and "/migrations/" not in path.as_posix():
            yield path


def test_no_module_imports_from_above_itself() -> None:
    seen, against = 0, []
    for place, layer in enumerate(ORDER):
        for path in files_of(layer):
            seen += 1
            for module in imported_at_module_level(ast.parse(path.read_text())):
                other = layer_of(module)
                if other is None or module == "parlant_site":
                    continue
                if ORDER.index(other) > place:
                    against.append(f"{path.relative_to(ROOT)} imports {module}")
    assert seen > 50
    assert not against, "\n".join(against)


def test_rules_know_no_segments() -> None:
    seen, against = 0, []
    for place, package in enumerate(RULES):
        for path in (ROOT / package.replace(".", "/")).rglob("*.py"):
            seen += 1
            for module in imported_at_module_level(ast.parse(path.read_text())):
                if any(module == above or module.startswith(f"{above}.") for above in RULES[place + 1 :]):
                    against.append(f"{path.relative_to(ROOT)} imports {module}")
    assert seen > 50
    assert not against, "\n".join(against)
