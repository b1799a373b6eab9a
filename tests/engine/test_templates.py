"""Templates of canned responses: what they can do, and that none runs long, writes much or looks inside."""

from __future__ import annotations

import time
from typing import Any

import pytest

from sessions_app.engine import templates

VALUES: dict[str, Any] = {
    "customer": {
        "name": "Ada " * 300,
        "first_name": "Ada",
        "tags": ["VIP", "EU"],
        "metadata": {"plan": "pro", "items": "three", "list": list(range(5000)), "big": "y" * 1_000_000},
    },
    "rooms": 12,
    "plan": "pro",
}


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("Hello {{ customer.first_name }}!", "Hello Ada!"),
        ('{% if "VIP" in customer.tags %}Welcome{% else %}Hello{% endif %}', "Welcome"),
        ("{% for t in customer.tags %}{{ loop.index }}{{ t }}{% if not loop.last %}, {% endif %}{% endfor %}", "1VIP, 2EU"),  # noqa: E501
        ("{{ city|default('your city') }}", "your city"),
        ("{{ customer.metadata.items }}", "three"),
        ("{{ customer.metadata.get('none', 'nothing') }}", "nothing"),
        ("{{ rooms * 2 + 1 }} {{ rooms // 5 }} {{ rooms % 5 }} {{ 5.55|round(1) }} {{ 5.6|round }}", "25 2 2 5.5 6"),
        ("{{ 'a' ~ rooms ~ customer.tags[0] }}{{ 'b' + 'c' }}", "a12VIPbc"),
        ("{{ customer.tags|join(' & ') }} {{ plan|upper }} {{ plan|replace('p', 'P') }}", "VIP & EU PRO Pro"),
        ("{% raw %}{{ as it is }}{% endraw %}{# nothing #}", "{{ as it is }}"),
    ],
)  # fmt: skip
def test_a_template_fills_in_decides_and_repeats(source: str, text: str) -> None:
    assert templates.problem_of(source) is None
    assert templates.render(source, VALUES) == text


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("Dear\n{{ customer.name", "line 2"),
        ("{% if %}", "line 1"),
        ("{{ plan|shout }}", "shout"),
        ("{{ plan is odder }}", "odder"),
        ("{{ customer.nme }}", "customer has no nme; it has id, name"),
        ("{% if agent.mood %}x{% endif %}", "agent has no mood"),
        ("{% set a = 1 %}{{ a }}", "'set' cannot be used"),
        ("{% macro m() %}x{% endmacro %}", "'macro' cannot be used"),
        ("{% include 'x' %}", "'include' cannot be used"),
        ("{% extends 'x' %}", "'extends' cannot be used"),
        ("{% block a %}{% endblock %}", "'block' cannot be used"),
        ("{% for a in [1] recursive %}{{ loop([1, 1]) }}{% endfor %}", "'recursive' cannot be used"),
        ("{{ 2 ** 99999999 }}", "'**' cannot be used"),
        ("{% for a in [1] %}" * 4 + "x" + "{% endfor %}" * 4, "loops in each other"),
        ("{% if 1 %}" * 150 + "x" + "{% endif %}" * 150, "nested too deeply"),
        ("{{ " + "(" * 500 + "1" + ")" * 500 + " }}", "nested too deeply"),
        ("{{ " + "9" * 5000 + " }}", "number"),
    ],
)
def test_a_bad_template_is_refused_with_a_reason_before_it_is_said(source: str, reason: str) -> None:
    assert reason in (templates.problem_of(source) or "")
    with pytest.raises(templates.Unusable):
        templates.render(source, VALUES)


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ customer['__class__'] }}",
        "{{ customer.name.strip.__self__ }}",
        "{{ customer.tags|sort(attribute='__class__')|first }}",
        "{{ '{:>99999999}'.format(1) }}",
        "{{ customer.keys }}",
        "{{ self }}",
        "{{ self._TemplateReference__context }}",
        "{{ lipsum() }}",
        "{{ range(9) }}",
        "{{ cycler }}",
        "{{ plan|attr('__class__') }}",
        "{{ customer.metadata.update({'plan': 'free'}) }}",
        "{{ customer.tags.append('x') }}",
    ],
)
def test_nothing_but_values_can_be_reached(source: str) -> None:
    with pytest.raises(templates.Unusable):
        templates.render(source, VALUES)
    assert VALUES["customer"]["metadata"]["plan"] == "pro"


@pytest.mark.parametrize(
    "source",
    [
        "{% for a in customer.name %}{% for b in customer.name %}{% for c in customer.name %}{% endfor %}{% endfor %}"
        "{% endfor %}x",
        "{% for a in customer.metadata.list %}{% endfor %}x",
        "{{ 'a' * 1000000000 }}",
        "{{ [1] * 1000000000 }}",
        "{{ '%999999999d' % 1 }}",
        "{{ customer.metadata.big }}",
        "{{ " + " ~ ".join(["customer.metadata.big"] * 150) + " }}",
        "{{ " + " + ".join(["customer.metadata.big"] * 150) + " }}",
        "{{ customer.metadata.list|join(customer.metadata.big) }}",
        "{{ 'aaaaaaaaaa'" + "|replace('a', 'aaaaaaaaaa')" * 12 + " }}",
        "{{ 5|round(-1000000000) }}",
        "{{ 5.5|round(1000000000) }}",
        "{% for a in customer.tags %}{{ customer.name }}{{ customer.name }}{{ customer.name }}{% endfor %}",
    ],
)
def test_nothing_runs_long_or_writes_much(source: str) -> None:
    began = time.monotonic()
    assert templates.problem_of(source) is None
    with pytest.raises(templates.Unusable):
        templates.render(source, VALUES)
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    "source", ["{{ unknown }}", "{{ customer.metadata.city }}", "{{ none|sort }}", "  ", "{{ '' }}"]
)
def test_what_is_not_known_or_empty_is_not_said(source: str) -> None:
    with pytest.raises(templates.Unusable):
        templates.render(source, VALUES)
