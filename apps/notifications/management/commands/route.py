"""`detectviz route explain --label k=v …` and `detectviz route diff -f proposed.yaml`."""

from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

import orjson
from django.core.management.base import CommandError

from apps.notifications.services.explanations import routes_explain
from apps.notifications.services.route_times import moment_asked
from apps.notifications.services.twin.diff import Difference
from apps.notifications.services.twin.replays import Replay, routes_replay
from apps.notifications.services.twin.requests import replay_asked
from apps.orgs.selectors import org_get
from detectviz.cli.base import OrgCommand, read_manifests
from detectviz.clock import utc_now
from detectviz.resources.errors import NotFoundError
from detectviz.resources.yaml import load_documents

FAIL_ON: dict[str, Callable[[Replay], int]] = {
    "untold": lambda found: len(found.untold),
    "removed": lambda found: len(found.comparison.lost),
    "changed": lambda found: len(found.comparison.rows),
}
"""What a pipeline may refuse: firings nobody hears of, a contact point does not, any change."""


class Command(OrgCommand):
    """Ask the routing tree."""

    help = "Say which routes, contact points and groups an alert with these labels would get."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the verbs."""
        verbs = parser.add_subparsers(dest="verb", required=True)
        explain = verbs.add_parser("explain", help="where would an alert go?")
        super().add_arguments(explain)
        explain.add_argument("--label", action="append", default=[], metavar="NAME=VALUE")
        explain.add_argument("--at", default="", help="a time such as 2026-01-31T03:00, else now")
        explain.add_argument("--location", default="UTC", help="whose clocks tell that time")
        explain.add_argument("-o", "--output", choices=("table", "json"), default="table")
        diff = verbs.add_parser("diff", help="who would have been told by another configuration?")
        super().add_arguments(diff)
        diff.add_argument(
            "-f", "--file", help="manifests, an alertmanager.yml or Grafana's file; - is stdin"
        )
        diff.add_argument("--without", action="append", default=[], metavar="KIND/NAME")
        diff.add_argument("--since", default="7d", help="a time, or how long ago")
        diff.add_argument("--until", default="0s", help="a time, or how long ago")
        diff.add_argument("--alerts", help="a file of alerts instead of the stored history")
        diff.add_argument("--location", default="UTC", help="whose nights are counted")
        diff.add_argument("--fail-on", choices=FAIL_ON, help="exit 1 when there is any")
        diff.add_argument("-o", "--output", choices=("table", "json"), default="table")

    def handle(self, *args: Any, **options: Any) -> None:
        """Answer in the org."""
        org = org_get(options["org"])
        if org is None:
            raise NotFoundError(f"There is no org {options['org']!r}.")
        if options["verb"] == "diff":
            self._diff(org, options)
        else:
            self._explain(org, options)

    def _diff(self, org: Any, options: dict[str, Any]) -> None:
        found = self._replay(org, options)
        if options["output"] == "json":
            written = orjson.dumps(found.as_json(), option=orjson.OPT_INDENT_2)
            self.stdout.write(written.decode())
        else:
            self._print_replay(found)
        if options["fail_on"] and (count := FAIL_ON[options["fail_on"]](found)):
            raise CommandError(f"{count} {options['fail_on']}.", returncode=1)

    def _replay(self, org: Any, options: dict[str, Any]) -> Replay:
        alerts = options["alerts"]
        given = {name: options[name] for name in ("since", "until", "without", "location")}
        given["proposed"] = read_manifests(options["file"]) if options["file"] else ""
        if alerts:
            documents = load_documents(read_manifests(alerts))
            given["alerts"] = documents[0] if len(documents) == 1 else documents
        asked = replay_asked(given, now=utc_now())
        return routes_replay(org=org, actor=None, access=None, asked=asked)

    def _print_replay(self, found: Replay) -> None:
        self.print_table(
            (
                "CONTACT POINT",
                "RECEIVER",
                "NOW",
                "THEN",
                "NIGHTS",
                *(each.name for each in Difference),
            ),
            [
                (
                    *listener,
                    one.before,
                    one.after,
                    f"{one.night_before} → {one.night_after}",
                    *(one.by_difference[each] for each in Difference),
                )
                for listener, one in found.comparison.counts.items()
            ],
        )
        for lost in found.comparison.lost:
            labels = ", ".join(
                f"{name}={text}" for name, text in sorted(lost.firing.labels.items())
            )
            whom = "nobody" if lost.is_untold else "others"
            why = "; ".join(
                f"{cause.kind.label}: {cause.name or cause.detail}" for cause in lost.causes
            )
            self.stdout.write(
                f"{lost.contact_point} is not told of {labels} "
                f"({lost.firing.starts_at:%Y-%m-%d %H:%M}, {whom} instead): {why}"
            )

    def _explain(self, org: Any, options: dict[str, Any]) -> None:
        labels = dict(self._pair(text) for text in options["label"])
        now, location = utc_now(), options["location"]
        at = moment_asked(options["at"], location, now)
        found = routes_explain(org=org, labels=labels, now=now, at=at, location=location)
        routes = [each.as_json() for each in found]
        if options["output"] == "json":
            self.stdout.write(orjson.dumps(routes, option=orjson.OPT_INDENT_2).decode())
            return
        self.print_table(
            ("ROUTE", "CONTACT POINT", "TOLD", "GROUP", "WAIT", "INTERVAL", "REPEAT"),
            [
                (
                    route["route"],
                    route["contact_point"] or "(nobody)",
                    "yes" if route["told"] else "no",
                    route["group_key"],
                    route["group_wait"],
                    route["group_interval"],
                    route["repeat_interval"],
                )
                for route in routes
            ],
        )
        for route in routes:
            self.stdout.write(route["sentence"])

    def _pair(self, text: str) -> tuple[str, str]:
        name, separator, value = text.partition("=")
        if not separator or not name:
            raise CommandError(f"{text!r} is no label: write name=value.")
        return name, value
