"""The templates of canned responses: Jinja2 in a sandbox, without anything that could run long or write much."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from types import NoneType
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, Undefined, nodes, pass_context
from jinja2.runtime import Context, LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment

# Characters that a template writes, or that any step on its way to the text may make.
LONGEST = 4000
# Steps of all loops of a template together, and loops inside of loops.
MOST_STEPS = 1000
DEEPEST_LOOP = 3
FILTERS = (
    "abs", "capitalize", "d", "default", "first", "float", "int", "last", "length", "lower", "sort", "string", "title",
    "trim", "truncate", "unique", "upper",
)  # fmt: skip
TESTS = ("defined", "undefined", "none", "string", "number", "mapping", "sequence", "in", "eq", "ne", "lt", "gt")
METHODS: dict[type, set[str]] = {
    dict: {"get", "items", "keys", "values"},
    str: {"startswith", "endswith", "lower", "upper", "title", "strip"},
    LoopContext: {"index", "index0", "first", "last", "length"},
}
# No variables, macros, blocks or files: whatever could grow step by step or call itself.
ALLOWED = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.For, nodes.If, nodes.CondExpr, nodes.Name, nodes.Const,
    nodes.Getattr, nodes.Getitem, nodes.Slice, nodes.Filter, nodes.Test, nodes.Call, nodes.Keyword, nodes.Compare,
    nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.Neg, nodes.Pos, nodes.Add, nodes.Sub, nodes.Mul, nodes.Div,
    nodes.FloorDiv, nodes.Mod, nodes.Concat, nodes.Tuple, nodes.List, nodes.Dict, nodes.Pair,
)  # fmt: skip
WRITTEN = {"assign": "set", "pow": "**", "fromimport": "import", "evalcontextmodifier": "autoescape"}
# What is there besides metadata and fields; see wording.py.
NAMES = {
    "customer": ("id", "name", "first_name", "is_known", "metadata", "tags", "segments"),
    "session": ("id", "title", "metadata", "labels"),
    "agent": ("id", "name", "description"),
}
# A name that no template can write.
STEPS = " steps"


class Unusable(Exception):
    """The template cannot be rendered: it is broken, or lacks a value that it names."""


class Sandbox(ImmutableSandboxedEnvironment):
    """Values, conditions, loops over what is given, and a few filters."""

    # Repetition could write gigabytes from a short template.
    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Answer the result for numbers; texts may be put together, as long as they stay short."""
        if operator == "+" and isinstance(left, str) and isinstance(right, str):
            return short(left + right)
        if not isinstance(left, (int, float)) or not isinstance(right, (int, float)) or operator == "**":
            raise Unusable(f"{operator} is for numbers")
        return super().call_binop(context, operator, left, right)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Answer whether an attribute may be read: of plain values only a few harmless methods."""
        return attr in METHODS.get(type(obj), set())

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Answer a key of an object before any method of that name: metadata may have a key `items`."""
        if type(obj) is dict and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)

    def wrap_str_format(self, value: Any) -> None:
        """Answer that no text can be formatted: a width could ask for gigabytes."""

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        restrict(tree)
        return tree


def restrict(tree: nodes.Node, loops: int = 0) -> None:
    """Refuse what is not allowed, and have loops counted and concatenations measured."""
    for node in tree.iter_child_nodes():
        if isinstance(node, nodes.For):
            if node.recursive:
                raise TemplateSyntaxError("'recursive' cannot be used here", node.lineno)
            if loops == DEEPEST_LOOP:
                raise TemplateSyntaxError(f"more than {DEEPEST_LOOP} loops in each other", node.lineno)
            node.iter = nodes.Filter(node.iter, "counted", [], [], None, None, lineno=node.lineno)
        if not isinstance(node, ALLOWED):
            what = type(node).__name__.removesuffix("Block").lower() or "block"
            raise TemplateSyntaxError(f"{WRITTEN.get(what, what)!r} cannot be used here", node.lineno)
        restrict(node, loops + isinstance(node, nodes.For))
    for field, value in tree.iter_fields():
        if isinstance(value, nodes.Concat):
            setattr(tree, field, _joined(value))
        elif isinstance(value, list):
            value[:] = [_joined(one) if isinstance(one, nodes.Concat) else one for one in value]


def _joined(node: nodes.Concat) -> nodes.Filter:
    parts = nodes.List(node.nodes, lineno=node.lineno)
    return nodes.Filter(parts, "join", [], [], None, None, lineno=node.lineno)


def finished(value: Any) -> Any:
    """Answer what is written; Unusable for what is no value, such as a method that was not called."""
    if not isinstance(value, (str, int, float, list, tuple, dict, NoneType, Undefined)):
        raise Unusable("something is named that is no value")
    return value


def short(text: str) -> str:
    """Answer the text; Unusable when it is too long."""
    if len(text) > LONGEST:
        raise Unusable(f"The text is longer than {LONGEST} characters")
    return text


def join(parts: Iterable[Any], between: str = "") -> str:
    """Answer the parts as one text."""
    size, texts = 0, []
    for part in parts:
        texts.append(str(part))
        size += len(texts[-1]) + len(between)
        if size > LONGEST + len(between):
            raise Unusable(f"The text is longer than {LONGEST} characters")
    return short(str(between).join(texts))


def replace(text: Any, old: str, new: str) -> str:
    """Answer the text with a part replaced everywhere."""
    known, old, new = str(text), str(old), str(new)
    if len(known) + known.count(old) * (len(new) - len(old)) > LONGEST:
        raise Unusable(f"The text is longer than {LONGEST} characters")
    return known.replace(old, new)


def rounded(value: float, precision: int = 0) -> float:
    """Answer the number, rounded; whole without a precision."""
    if not -10 <= precision <= 10:
        raise Unusable("a number is rounded to 10 places at most")
    return round(value, precision) if precision else round(value)


@pass_context
def counted(context: Context, values: Any) -> Iterator[Any]:
    """Answer the values, as long as all loops together take a bounded number of steps."""
    steps: list[int] = context[STEPS]
    for value in values:
        steps[0] += 1
        if steps[0] > MOST_STEPS:
            raise Unusable(f"The loops take more than {MOST_STEPS} steps")
        yield value


def _sandbox() -> Sandbox:
    sandbox = Sandbox(undefined=StrictUndefined, autoescape=False, finalize=finished)
    sandbox.globals.clear()
    known = {name: sandbox.filters[name] for name in FILTERS}
    sandbox.filters = {**known, "counted": counted, "join": join, "replace": replace, "round": rounded}
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
        for part in _compiled(source).generate({**values, STEPS: [0]}):
            parts.append(part)
            size += len(part)
            if size > LONGEST:
                raise Unusable(f"The text is longer than {LONGEST} characters")
    except Unusable:
        raise
    # Whatever goes wrong inside of a template is the template's fault: filters get values of any type.
    except Exception as error:
        raise Unusable(str(error) or type(error).__name__) from None
    text = "".join(parts).strip()
    if not text:
        raise Unusable("The text is empty")
    return text


def problem_of(source: str) -> str | None:
    """Answer what is wrong with a template as far as it can be told before it is said; None: nothing."""
    try:
        _compiled(source)
        for node in SANDBOX.parse(source).find_all(nodes.Getattr):
            root = node.node.name if isinstance(node.node, nodes.Name) else ""
            if root in NAMES and node.attr not in NAMES[root]:
                return f"line {node.lineno}: {root} has no {node.attr}; it has {', '.join(NAMES[root])}"
    except TemplateError as error:
        return f"line {getattr(error, 'lineno', 1)}: {error.message or error}"
    except (RecursionError, MemoryError, SyntaxError):
        return "it is nested too deeply"
    except ValueError:
        return "it has a number that is too large"
    return None


def words_of(source: str) -> str:
    """Answer the template's own words, without its markup."""
    try:
        return " ".join(text for _, kind, text in SANDBOX.lex(source) if kind == "data")
    except TemplateError:
        return source
