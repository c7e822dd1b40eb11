"""`detectviz route explain --label k=v …`."""

from argparse import ArgumentParser
from typing import Any

import orjson
from django.core.management.base import CommandError

from apps.notifications.services.trials import routes_explain
from apps.orgs.selectors import org_get
from detectviz.cli.base import OrgCommand
from detectviz.resources.errors import NotFoundError


class Command(OrgCommand):
    """Ask the routing tree."""

    help = "Say which routes, contact points and groups an alert with these labels would get."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the verbs."""
        verbs = parser.add_subparsers(dest="verb", required=True)
        explain = verbs.add_parser("explain", help="where would an alert go?")
        super().add_arguments(explain)
        explain.add_argument("--label", action="append", default=[], metavar="NAME=VALUE")
        explain.add_argument("-o", "--output", choices=("table", "json"), default="table")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print one row per route."""
        labels = dict(self._pair(text) for text in options["label"])
        org = org_get(options["org"])
        if org is None:
            raise NotFoundError(f"There is no org {options['org']!r}.")
        routes = routes_explain(org=org, labels=labels)
        if options["output"] == "json":
            self.stdout.write(orjson.dumps(routes, option=orjson.OPT_INDENT_2).decode())
            return
        self.print_table(
            ("ROUTE", "CONTACT POINT", "GROUP", "WAIT", "INTERVAL", "REPEAT"),
            [
                (
                    route["route"],
                    route["contact_point"] or "(nobody)",
                    route["group_key"],
                    route["group_wait"],
                    route["group_interval"],
                    route["repeat_interval"],
                )
                for route in routes
            ],
        )

    def _pair(self, text: str) -> tuple[str, str]:
        name, separator, value = text.partition("=")
        if not separator or not name:
            raise CommandError(f"{text!r} is no label: write name=value.")
        return name, value
