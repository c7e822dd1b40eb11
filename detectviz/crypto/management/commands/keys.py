"""`detectviz keys rotate`."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from detectviz.crypto.services import keys_rotate


class Command(BaseCommand):
    """Work with encryption keys."""

    help = "Bring every stored secret under the current master key; safe to repeat."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the verbs."""
        verbs = parser.add_subparsers(dest="verb", required=True)
        rotate = verbs.add_parser("rotate", help="rewrap data keys under the first master key")
        rotate.add_argument("--data-keys", action="store_true", help="make new data keys, too")

    def handle(self, *args: Any, **options: Any) -> None:
        """Rotate and report."""
        report = keys_rotate(data_keys=options["data_keys"])
        self.stdout.write(str(report))
