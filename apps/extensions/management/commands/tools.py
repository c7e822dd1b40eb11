"""`detectviz tools list|run`: operator tools on the command line."""

import sys
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

import orjson
from django.core.management.base import CommandError

from apps.extensions.selectors import plugin_list
from apps.extensions.services.tools import tool_run
from detectviz.cli.base import OrgCommand
from detectviz.contracts.drawings import Drawing
from detectviz.contracts.tool import ToolAnswer
from detectviz.contracts.types import PluginKind
from detectviz.resources.errors import DomainError
from detectviz.tenancy.selectors import org_get


class Command(OrgCommand):
    """Run operator tools."""

    help = 'List tools, or run one now: tools run dns-lookup --config \'{"name": "example.org"}\'.'

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the verbs."""
        verbs = parser.add_subparsers(dest="verb", required=True)
        verbs.add_parser("list", help="all tools")
        run = verbs.add_parser("run", help="run one now; status 1 if not all is right")
        run.add_argument("name")
        run.add_argument("--config", default="{}", help="its configuration, JSON")
        run.add_argument("-o", "--output", choices=("table", "json"), default="table")
        super().add_arguments(run)

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the verb."""
        if options["verb"] == "list":
            rows = [
                (each.name, each.status, each.manifest.description if each.manifest else "")
                for each in plugin_list(PluginKind.TOOL)
            ]
            self.print_table(("NAME", "STATUS", "DESCRIPTION"), rows)
            return
        answer = self._run(options)
        if options["output"] == "json":
            self.print_documents([asdict(answer)], "json")
        else:
            self._show(answer)
        if not answer.is_ok:
            sys.exit(1)

    def _run(self, options: dict[str, Any]) -> ToolAnswer:
        org = org_get(name=options["org"])
        if org is None:
            raise CommandError(f"There is no org {options['org']!r}.")
        try:
            config = orjson.loads(options["config"])
        except orjson.JSONDecodeError as error:
            raise CommandError(f"--config is not valid JSON: {error}") from error
        if not isinstance(config, dict):
            raise CommandError("--config must be a JSON object.")
        try:
            return tool_run(org=org, actor=None, name=options["name"], config=config)
        except DomainError as error:
            fields = getattr(error, "fields", {})
            said = "; ".join(f"{at}: {' '.join(texts)}" for at, texts in fields.items())
            raise CommandError(said or error.message) from error

    def _show(self, answer: ToolAnswer) -> None:
        self.stdout.write(answer.summary)
        for drawing in answer.drawings:
            self._draw(drawing)

    def _draw(self, drawing: Drawing) -> None:
        if drawing.title:
            self.stdout.write(f"\n{drawing.title}")
        for stat in drawing.stats:
            value = stat.text or f"{stat.value:g} {stat.unit}"
            self.stdout.write(f"{stat.label}: {value}")
        if drawing.table:
            columns = [each.title.upper() for each in drawing.table.columns]
            self.print_table(
                columns, [["" if c is None else c for c in row] for row in drawing.table.rows]
            )
