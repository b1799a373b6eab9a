"""Subcommands that write segments to files and read them back."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from customers.segments.commands.asking import named
from customers.segments.commands.output import Output
from customers.segments.files import Step, export_segments, import_segments
from customers.segments.models import Segment


def export(out: Output, *, segments: list[str], output: Path | None, **_: Any) -> None:
    """Write segments, all unless some are named, as YAML."""
    chosen = [named(text) for text in segments] if segments else list(Segment.objects.all())
    text = export_segments(chosen)
    if output is None:
        out.stdout.write(text.rstrip("\n"))
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{output} cannot be written: {error.strerror}") from None


def import_(out: Output, *, file: str, dry_run: bool, delete_others: bool, **_: Any) -> None:
    """Make segments be as a file says, all or nothing; with --dry-run only show what that would change."""
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise CommandError(f"{file} is not UTF-8") from None
    steps = import_segments(text, is_dry=dry_run, deletes_others=delete_others)
    rows = ([step.action, step.name, _difference(step)] for step in steps)
    data = {"dry_run": dry_run, "segments": [step.to_json() for step in steps]}
    out.table(["", "Segment", "What"], rows, data, empty="The file names no segments.")
    if dry_run and not out.is_json:
        out.say("Nothing was changed.")


def _difference(step: Step) -> str:
    if step.action == "new":
        return str(step.after.get("rule") or "a list")
    return "; ".join(f"{name}: {step.before[name]} -> {step.after[name]}" for name in step.after)
