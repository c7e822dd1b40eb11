"""What our commands share: the org option and the output formats."""

import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.table import Table

from detectviz.resources.yaml import dump_documents

DEFAULT_ORG = "default"


class OrgCommand(BaseCommand):
    """A command that works in one org. Database checks stay out of the way of scripts."""

    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add ``--org``."""
        parser.add_argument("--org", default=DEFAULT_ORG, help="the org to work in")

    def print_documents(self, documents: list[Any], output: str) -> None:
        """Print as YAML documents or as one JSON value."""
        if output == "json":
            value = documents[0] if len(documents) == 1 else documents
            self.stdout.write(orjson.dumps(value, default=str, option=orjson.OPT_INDENT_2).decode())
        else:
            plain = orjson.loads(orjson.dumps(documents, default=str))
            self.stdout.write(dump_documents(plain), ending="")

    def print_table(self, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Print a table as wide as the terminal."""
        table = Table(*columns, box=None, pad_edge=False, header_style="bold")
        for row in rows:
            table.add_row(*(str(cell) for cell in row))
        Console(file=sys.stdout).print(table)


def read_manifests(source: str) -> str:
    """Return the YAML of a file, of a folder's ``*.yaml`` files in order, or of ``-`` (stdin)."""
    if source == "-":
        return sys.stdin.read()
    path = Path(source)
    try:
        if path.is_dir():
            files = sorted([*path.rglob("*.yaml"), *path.rglob("*.yml")])
            return "\n---\n".join(file.read_text(encoding="utf-8") for file in files)
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"Cannot read {source}: {error}") from error
