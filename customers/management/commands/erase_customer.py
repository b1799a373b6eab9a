"""`manage.py erase_customer ID`."""

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from customers.parts import Conversations
from customers.privacy.erasing import erase, preview
from customers.privacy.models import Erasure
from customers.transfer.commands import acting_as, add_user_argument


class Command(BaseCommand):
    """The command."""

    help = (
        "Erase a customer: her profile, tags, memberships and values in the audit, and her conversations or their "
        "text. What will go is shown first, and asked for by typing her id. It cannot be undone."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        parser.add_argument("customer", metavar="ID", help="id of the customer, also of one who was deleted or merged")
        what = parser.add_mutually_exclusive_group()
        what.add_argument(
            "--conversations",
            choices=Conversations.values,
            help="delete her conversations, or redact them: their course stays, without any text",
        )
        what.add_argument("--proof", action="store_true", help="erase nothing; show the proofs that she was erased")
        parser.add_argument("--dry-run", action="store_true", help="show what would go, and erase nothing")
        parser.add_argument("--yes", action="store_true", help="do not ask")
        add_user_argument(parser)

    def handle(self, *args: Any, customer: str, user: str | None, **options: Any) -> None:
        """Show what will go, ask, erase, and print the proof."""
        with acting_as(user, "customers.view_erasure" if options["proof"] else "customers.erase"):
            if options["proof"]:
                self._show_proofs(customer)
            else:
                self._erase(customer, options)

    def _erase(self, customer: str, options: dict[str, Any]) -> None:
        for name, number in preview(customer).items():
            self.stdout.write(f"{number:>10,}  {name.replace('_', ' ')}")
        if options["dry_run"]:
            return
        if options["conversations"] is None:
            raise CommandError("Say what becomes of her conversations: --conversations delete, or redact.")
        if not options["yes"]:
            self._ask(customer)
        [proof] = erase([customer], conversations=Conversations(options["conversations"]))
        self.stdout.write(f"Erased. Proof {proof.pk}, {proof.seal}.")

    def _ask(self, customer: str) -> None:
        if not sys.stdin.isatty():
            raise CommandError("Nobody is there to confirm it. Write --yes to erase without asking.")
        if input(f"This cannot be undone. Type {customer} to erase her: ") != customer:
            raise CommandError("That was another id. Nothing was erased.")

    def _show_proofs(self, customer: str) -> None:
        proofs = list(Erasure.objects.of(customer))
        if not proofs:
            raise CommandError(f"There is no proof that the customer {customer!r} was erased.")
        for proof in proofs:
            removed = ", ".join(f"{number:,} {name.replace('_', ' ')}" for name, number in proof.counts.items())
            state = "genuine" if proof.is_genuine else "NOT GENUINE: it was changed, or the secret key was"
            by = proof.actor_name or proof.get_channel_display()
            self.stdout.write(
                f"{proof.at:%Y-%m-%d %H:%M:%S} UTC by {by}, conversations {proof.conversations}: {removed} ({state})"
            )
