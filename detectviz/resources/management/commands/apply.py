"""`detectviz apply -f FILE|DIR|-`."""

from argparse import ArgumentParser
from collections import Counter
from typing import Any

from detectviz.cli.base import OrgCommand, add_datasource_option, read_source
from detectviz.cli.client import client
from detectviz.resources.targets import datasource_pairs


class Command(OrgCommand):
    """Create and update what the manifests say, all or nothing."""

    help = (
        "Apply manifests (and plain Prometheus rule files, Alertmanager configurations and "
        "Grafana's alerting files): create, update, optionally prune."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options."""
        super().add_arguments(parser)
        parser.add_argument("-f", "--file", required=True, help="file, folder or - for stdin")
        parser.add_argument("--dry-run", action="store_true", help="only say what would happen")
        parser.add_argument("--prune", action="store_true", help="delete what the files leave out")
        add_datasource_option(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Apply and say what happened to each object."""
        source = read_source(options["file"])
        applied = client().apply(
            options["org"],
            source.text,
            is_dry_run=options["dry_run"],
            prune=options["prune"],
            datasources=datasource_pairs(options["datasource"]),
        )
        for change in applied.changes:
            self.stdout.write(f"{change.kind}/{change.name} {change.action}")
        counts = Counter(change.action for change in applied.changes)
        summary = ", ".join(f"{count} {action}" for action, count in sorted(counts.items()))
        suffix = " (dry run)" if options["dry_run"] else ""
        self.stdout.write(f"{summary or 'nothing to apply'}{suffix}")
        for loss in applied.losses:
            self.stderr.write(f"not carried over: {source.sentence(loss)}")
