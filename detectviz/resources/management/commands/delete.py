"""`detectviz delete KIND NAME`."""

from argparse import ArgumentParser
from typing import Any

from detectviz.cli.base import OrgCommand
from detectviz.cli.client import client, kind_named


class Command(OrgCommand):
    """Delete one resource."""

    help = "Delete one resource."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options."""
        super().add_arguments(parser)
        parser.add_argument("kind", help="such as monitors or RuleGroup")
        parser.add_argument("name")

    def handle(self, *args: Any, **options: Any) -> None:
        """Delete and say so."""
        kind = kind_named(options["kind"])
        client().delete(options["org"], kind, options["name"])
        self.stdout.write(f"{kind.kind}/{options['name']} deleted")
