"""`detectviz get KIND [NAME]`."""

from argparse import ArgumentParser
from typing import Any

from detectviz.cli.base import OrgCommand
from detectviz.cli.client import client, kind_named


class Command(OrgCommand):
    """Show resources."""

    help = "Show one resource or all of a kind."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options."""
        super().add_arguments(parser)
        parser.add_argument("kind", help="such as monitors or RuleGroup")
        parser.add_argument("name", nargs="?")
        parser.add_argument("-o", "--output", choices=("table", "yaml", "json"), default="table")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print in the chosen format."""
        kind = kind_named(options["kind"])
        if options["name"]:
            envelopes = [client().get(options["org"], kind, options["name"])]
        else:
            envelopes = client().list_all(options["org"], kind)
        if options["output"] != "table":
            self.print_documents(envelopes, options["output"])
            return
        rows = [
            (
                envelope["metadata"]["name"],
                envelope["status"].get("state", ""),
                envelope["metadata"]["updated_at"],
                envelope["metadata"]["resource_version"],
            )
            for envelope in envelopes
        ]
        self.print_table(("NAME", "STATE", "UPDATED", "VERSION"), rows)
