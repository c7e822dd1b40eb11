"""`detectviz datasources provision|test`."""

import sys
from argparse import ArgumentParser
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson
from django.conf import settings
from django.core.management.base import CommandError

from apps.datasources.selectors import datasource_list
from apps.datasources.services.health import datasource_check
from apps.datasources.services.provisioning import FOLDER, datasources_provision
from apps.orgs.selectors import org_get
from detectviz.cli.base import OrgCommand
from detectviz.clock import utc_now
from detectviz.resources.errors import NotFoundError


class Command(OrgCommand):
    """Work with datasources."""

    help = "Provision datasources from a folder of files, or test one."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the verbs."""
        verbs = parser.add_subparsers(dest="verb", required=True)
        provision = verbs.add_parser("provision", help="what the files of a folder say")
        provision.add_argument("folder", nargs="?", type=Path)
        provision.add_argument(
            "--prune", action="store_true", help="delete what came from files that are gone"
        )
        provision.add_argument("--dry-run", action="store_true", help="only say what would be")
        provision.add_argument("-o", "--output", choices=("table", "json"), default="table")
        test = verbs.add_parser("test", help="does a datasource work?")
        super().add_arguments(test)
        test.add_argument("name")
        test.add_argument("-o", "--output", choices=("table", "json"), default="table")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the verb."""
        {"provision": self._provision, "test": self._test}[options["verb"]](options)

    def _provision(self, options: dict[str, Any]) -> None:
        folder = options["folder"]
        if folder is None and settings.PROVISIONING_DIR is not None:
            folder = settings.PROVISIONING_DIR / FOLDER
        if folder is None:
            raise CommandError("Name a folder, or set DETECTVIZ_PROVISIONING_DIR.")
        report = datasources_provision(
            folder=folder, is_pruning=options["prune"], is_dry_run=options["dry_run"]
        )
        if options["output"] == "json":
            self._print(asdict(report))
            return
        for outcome in ("created", "updated", "deleted"):
            for name in getattr(report, outcome):
                self.stdout.write(f"{name} {outcome}")
        for warning in report.warnings:
            self.stderr.write(warning)
        self.stdout.write(report.sentence)

    def _test(self, options: dict[str, Any]) -> None:
        org = org_get(options["org"])
        row = datasource_list(org).filter(name=options["name"]).first() if org else None
        if org is None or row is None:
            raise NotFoundError(
                f"There is no datasource {options['name']!r} in the org {options['org']!r}."
            )
        health = datasource_check(org=org, datasource=row, now=utc_now())
        if options["output"] == "json":
            self._print({"status": health.status, "message": health.message})
        else:
            self.stdout.write(f"{row.name}: {health.status}: {health.message}")
        if health.status != "ok":
            sys.exit(1)

    def _print(self, value: Any) -> None:
        self.stdout.write(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())
