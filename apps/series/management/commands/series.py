"""`detectviz series verify|repair|snapshot`: care of the embedded series store."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from detectviz.clock import to_ms, utc_now
from detectviz.tsdb.embedded import EmbeddedStore
from detectviz.tsdb.interface import StoreError
from detectviz.tsdb.opening import EMBEDDED_FILE
from detectviz.tsdb.repair import repair_file, verify_file


class Command(BaseCommand):
    """Look after the file that holds the samples."""

    help = "Verify, repair or copy the embedded series store."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the verbs."""
        verbs = parser.add_subparsers(dest="verb", required=True)
        for verb, text in (
            ("verify", "read everything and name every damage; status 1 if there is any"),
            ("repair", "set damaged rows aside and build indexes anew"),
        ):
            added = verbs.add_parser(verb, help=text)
            added.add_argument("--file", type=Path, help="instead of the one in the data directory")
        snapshot = verbs.add_parser("snapshot", help="copy the store while it is in use")
        snapshot.add_argument("path", type=Path, help="a new file")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do what the verb says."""
        path = options.get("file") or Path(settings.DATA_DIR) / EMBEDDED_FILE
        if not path.exists():
            raise CommandError(f"There is no embedded series store at {path}.")
        try:
            match options["verb"]:
                case "verify":
                    self._verify(path)
                case "repair":
                    self._repair(path)
                case _:
                    self._snapshot(path, options["path"])
        except StoreError as error:
            raise CommandError(str(error)) from error

    def _verify(self, path: Path) -> None:
        damages = verify_file(path)
        for damage in damages:
            self.stdout.write(str(damage))
        if damages:
            raise CommandError(f"{len(damages)} damages; detectviz series repair sets them aside.")
        self.stdout.write("The series store is whole.")

    def _repair(self, path: Path) -> None:
        report = repair_file(path, now_ms=to_ms(utc_now()))
        for damage in report.set_aside:
            self.stdout.write(f"set aside: {damage}")
        if report.is_reindexed:
            self.stdout.write("Indexes were built anew.")
        if report.is_rewritten:
            self.stdout.write("The file was written anew from what could be read.")
        self.stdout.write(f"{len(report.set_aside)} damages set aside in the table quarantine.")

    def _snapshot(self, path: Path, target: Path) -> None:
        store = EmbeddedStore(path)
        try:
            store.snapshot(target)
        finally:
            store.close()
        self.stdout.write(f"copied to {target}")
