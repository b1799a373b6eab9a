"""docs/websocket.md says what is sent: its examples follow the schema, its codes are the code's."""

from __future__ import annotations

import json
import re

from django.conf import settings

from sessions_app import consumers
from tests.processes import ROOT
from tests.realtime.sockets import SCHEMA, definition

TEXT = (ROOT / "docs" / "websocket.md").read_text()


def test_every_example_is_one_of_the_schemas_frames() -> None:
    names = [name for name in SCHEMA["$defs"] if not name.startswith("from_")]
    shown = set()
    for example in re.findall(r"```json\n(.*?)\n```|`(\{.*?\})`", TEXT, re.DOTALL):
        frame = json.loads(example[0] or example[1])
        fitting = {name for name in names if definition(name).is_valid(frame)}
        assert fitting, frame
        shown |= fitting
    assert shown == set(names)


def test_every_code_is_documented() -> None:
    documented = {int(code) for code in re.findall(r"^\| (\d{4}) \|", TEXT, re.MULTILINE)}
    own = {consumers.SERVER_ENDS, consumers.TOO_SLOW, *consumers.CLOSE_CODES.values()}
    assert documented == own


def test_the_figures_are_those_of_the_code() -> None:
    assert f"after {settings.PARLANT_HEARTBEAT_SECONDS:.0f} quiet seconds" in TEXT
    assert f"for {consumers.PATIENCE_SECONDS} seconds" in TEXT
