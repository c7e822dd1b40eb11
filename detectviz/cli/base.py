"""What our commands share: the org option and the output formats."""

import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson
from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.table import Table

from detectviz.resources.formats import Loss
from detectviz.resources.yaml import dump_documents

DEFAULT_ORG = "default"
_BETWEEN = "\n---\n"


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


def add_datasource_option(parser: ArgumentParser) -> None:
    """Add ``--datasource``, for files of other products."""
    parser.add_argument(
        "--datasource",
        action="append",
        default=[],
        metavar="UID=NAME",
        help="what a datasource of a file of Grafana is called here; may be repeated",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The text of one or several files; ``starts`` says at which line each file begins."""

    text: str
    starts: Sequence[tuple[int, str]] = ()

    def sentence(self, loss: Loss) -> str:
        """Return a loss in one line, its place in the file it stands in."""
        begun = [one for one in self.starts if one[0] <= loss.line]
        if not begun or not loss.line:
            return loss.sentence
        first, name = begun[-1]
        return f"{name}, {replace(loss, line=loss.line - first + 1).sentence}"


def read_manifests(source: str) -> str:
    """Return the YAML of a file, of a folder's ``*.yaml`` files in order, or of ``-`` (stdin)."""
    return read_source(source).text


def read_source(source: str) -> Source:
    """Return what ``read_manifests`` does, knowing which line is of which file."""
    if source == "-":
        return Source(text=sys.stdin.read())
    path = Path(source)
    try:
        if not path.is_dir():
            return Source(text=path.read_text(encoding="utf-8"))
        files = sorted([*path.rglob("*.yaml"), *path.rglob("*.yml")])
        texts = [file.read_text(encoding="utf-8") for file in files]
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"Cannot read {source}: {error}") from error
    starts, line = [], 1
    for file, text in zip(files, texts, strict=True):
        starts.append((line, str(file)))
        line += text.count("\n") + _BETWEEN.count("\n")
    return Source(text=_BETWEEN.join(texts), starts=starts)
