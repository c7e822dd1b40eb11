"""`detectviz diff -f FILE|DIR|-`."""

import sys
from argparse import ArgumentParser
from typing import Any

from detectviz.cli.base import OrgCommand, add_datasource_option, read_source
from detectviz.cli.client import client
from detectviz.resources.manifests import change_diff
from detectviz.resources.targets import datasource_pairs


class Command(OrgCommand):
    """Show what apply would change."""

    help = "Show what apply would change; exit status 1 when there is a difference."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options."""
        super().add_arguments(parser)
        parser.add_argument("-f", "--file", required=True, help="file, folder or - for stdin")
        parser.add_argument("--prune", action="store_true", help="as for apply")
        add_datasource_option(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Print unified diffs."""
        source = read_source(options["file"])
        applied = client().apply(
            options["org"],
            source.text,
            is_dry_run=True,
            prune=options["prune"],
            datasources=datasource_pairs(options["datasource"]),
        )
        different = [change for change in applied.changes if change.action != "unchanged"]
        for change in different:
            self.stdout.write(
                change_diff(change) or f"{change.kind}/{change.name}: a secret changes"
            )
        for loss in applied.losses:
            self.stderr.write(f"not carried over: {source.sentence(loss)}")
        if different:
            sys.exit(1)
