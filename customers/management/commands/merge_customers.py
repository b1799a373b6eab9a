"""`manage.py merge_customers SURVIVOR OTHER`."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from customers.merging.choices import Choices, Side, TagChoice
from customers.merging.merge import merge, unmerge
from customers.merging.models import CustomerMerge
from customers.transfer.commands import acting_as, add_user_argument


class Command(BaseCommand):
    """The command."""

    help = (
        "Merge two customers: the survivor gets the other's conversations and what was chosen of her values, and the "
        "other's id leads to the survivor. `--undo MERGE` takes a merge back, for 30 days."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        parser.add_argument("survivor", metavar="SURVIVOR", nargs="?", help="id of the customer who stays")
        parser.add_argument("other", metavar="OTHER", nargs="?", help="id of the one who is merged into her")
        parser.add_argument("--name", choices=Side.values, default=Side.SURVIVOR.value, help="whose name is kept")
        parser.add_argument(
            "--tags", choices=TagChoice.values, default=TagChoice.BOTH.value, help="whose tags are kept"
        )
        parser.add_argument(
            "--take",
            metavar="KEY",
            action="append",
            default=[],
            help="take this metadata key from the other one; otherwise the survivor's is kept where she has one",
        )
        parser.add_argument("--undo", metavar="MERGE", help="undo this merge")
        add_user_argument(parser)

    def handle(self, *args: Any, survivor: str | None, other: str | None, user: str | None, **options: Any) -> None:
        """Merge, or take back, and say what became of it."""
        with acting_as(user, "customers.merge"):
            if options["undo"]:
                self._undo(options["undo"])
                return
            if survivor is None or other is None:
                raise CommandError("Name the customer who stays and the one who is merged into her.")
            metadata = dict.fromkeys(options["take"], Side.OTHER)
            choices = Choices(Side(options["name"]), metadata, TagChoice(options["tags"]))
            made = merge(survivor, other, choices)
        self.stdout.write(f"Merged {made.gone_id} into {made.survivor_id}. Undo: merge_customers --undo {made.pk}")

    def _undo(self, key: str) -> None:
        undone: CustomerMerge = unmerge(key)
        self.stdout.write(f"{undone.gone_id} is a customer of her own again.")
        for sentence in undone.left:
            self.stdout.write(f"  {sentence}.")
