"""The templates of canned responses: Jinja2 in a sandbox, without anything that could run long or write much."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

LONGEST = 4000
FILTERS = (
    "abs", "capitalize", "d", "default", "first", "float", "int", "join", "last", "length", "lower", "replace", "round",
    "sort", "string", "title", "trim", "truncate", "unique", "upper",
)  # fmt: skip
TESTS = ("defined", "undefined", "none", "string", "number", "mapping", "sequence", "in", "eq", "ne", "lt", "gt")
METHODS: dict[type, set[str]] = {
    dict: {"get", "items", "keys", "values"},
    str: {"startswith", "endswith", "lower", "upper", "title", "strip"},
}


class Unusable(Exception):
    """The template cannot be rendered: it is broken, or lacks a value that it names."""


class Sandbox(ImmutableSandboxedEnvironment):
    """Values, conditions, loops over what is given, and a few filters."""

    # Repetition could write gigabytes from a short template.
    intercepted_binops = frozenset({"*", "**", "%"})

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Answer the result for numbers; nothing else is multiplied or formatted."""
        if not isinstance(left, (int, float)) or not isinstance(right, (int, float)) or operator == "**":
            raise Unusable(f"{operator} is for numbers")
        return super().call_binop(context, operator, left, right)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Answer whether an attribute may be read: of plain values only a few harmless methods."""
        return attr in METHODS.get(type(obj), set())


def _sandbox() -> Sandbox:
    sandbox = Sandbox(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=False)
    sandbox.globals.clear()
    sandbox.filters = {name: sandbox.filters[name] for name in FILTERS}
    sandbox.tests = {name: sandbox.tests[name] for name in TESTS}
    return sandbox


SANDBOX = _sandbox()


@lru_cache(maxsize=2000)
def _compiled(source: str) -> Template:
    return SANDBOX.from_string(source)


def render(source: str, values: Mapping[str, Any]) -> str:
    """Answer the text; Unusable when the template is broken, names what is not there, or writes more than LONGEST."""
    parts, size = [], 0
    try:
        for part in _compiled(source).generate(values):
            parts.append(part)
            size += len(part)
            if size > LONGEST:
                raise Unusable(f"The text is longer than {LONGEST} characters")
    except Unusable:
        raise
    except (TemplateError, ArithmeticError, TypeError, ValueError, LookupError, RecursionError) as error:
        raise Unusable(str(error)) from None
    text = "".join(parts).strip()
    if not text:
        raise Unusable("The text is empty")
    return text


def problem_of(source: str) -> str | None:
    """Answer what is wrong with the syntax of a template, for its author; None: nothing."""
    try:
        meta.find_undeclared_variables(SANDBOX.parse(source))
        _compiled(source)
    except TemplateError as error:
        return f"line {getattr(error, 'lineno', 1)}: {error.message or error}"
    except RecursionError:
        return "nested too deeply"
    return None


def words_of(source: str) -> str:
    """Answer the template's own words, without its markup."""
    try:
        return " ".join(text for _, kind, text in SANDBOX.lex(source) if kind == "data")
    except TemplateError:
        return source
