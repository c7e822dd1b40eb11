"""`detectviz export`."""

from argparse import ArgumentParser
from typing import Any

from detectviz.cli.base import OrgCommand
from detectviz.cli.client import client


class Command(OrgCommand):
    """Write everything as manifests that apply takes back."""

    help = "Print every resource of an org as manifests; secrets stay in the server."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options."""
        super().add_arguments(parser)
        parser.add_argument("-o", "--output", choices=("yaml", "json"), default="yaml")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the manifests."""
        self.print_documents(client().export(options["org"]), options["output"])
