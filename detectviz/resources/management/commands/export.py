"""`detectviz export`."""

from argparse import ArgumentParser
from typing import Any

from detectviz.cli.base import OrgCommand
from detectviz.cli.client import client
from detectviz.resources.formats import MANIFESTS, format_list


class Command(OrgCommand):
    """Write everything as manifests that apply takes back."""

    help = "Print every resource of an org as manifests; secrets stay in the server."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options."""
        super().add_arguments(parser)
        parser.add_argument("-o", "--output", choices=("yaml", "json"), default="yaml")
        parser.add_argument(
            "--format",
            choices=(MANIFESTS, *(one.name for one in format_list())),
            default=MANIFESTS,
            help="manifests, or the configuration of another product",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the manifests, or the foreign document; what that leaves out goes to stderr."""
        if options["format"] != MANIFESTS:
            found = client().export_as(options["org"], options["format"])
            self.print_documents([dict(found.document)], options["output"])
            for loss in found.losses:
                self.stderr.write(f"not carried over: {loss.sentence}")
            return
        self.print_documents(client().export(options["org"]), options["output"])
