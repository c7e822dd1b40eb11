"""`detectviz why ALERT` or `detectviz why --label k=v …`."""

from argparse import ArgumentParser
from typing import Any

import orjson
from django.core.management.base import CommandError

from apps.alerting.selectors import alert_get
from apps.notifications.services.answers import Suppression, alerts_matching, suppressions_of
from apps.orgs.selectors import org_get
from detectviz.cli.base import OrgCommand
from detectviz.clock import utc_now
from detectviz.resources.errors import NotFoundError

MOST_ALERTS = 20


class Command(OrgCommand):
    """Ask the suppression ledger."""

    help = "Say, contact point by contact point, why nobody was told of an alert."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take an alert, or labels to look for."""
        super().add_arguments(parser)
        parser.add_argument("alert", nargs="?", help="its name or fingerprint")
        parser.add_argument("--label", action="append", default=[], metavar="NAME=VALUE")
        parser.add_argument("-o", "--output", choices=("text", "json"), default="text")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the sentences of each alert."""
        org = org_get(options["org"])
        if org is None:
            raise NotFoundError(f"There is no org {options['org']!r}.")
        labels = dict(self._pair(text) for text in options["label"])
        if bool(options["alert"]) == bool(labels):
            raise CommandError("Name an alert, or labels to look for by --label name=value.")
        if options["alert"]:
            alert = alert_get(org, options["alert"])
            wanted = [alert.fingerprint if alert is not None else options["alert"]]
        else:
            wanted = alerts_matching(org=org, labels=labels, limit=MOST_ALERTS)
        found = {one: suppressions_of(org=org, fingerprint=one, now=utc_now()) for one in wanted}
        if not any(found.values()):
            raise NotFoundError(
                "Nothing was held back: there is no such alert, or everybody was told. "
                "detectviz get alerts shows what there is, detectviz get deliveries who was told."
            )
        if options["output"] == "json":
            self._print_json(found)
        else:
            self._print_text(found)

    def _print_text(self, found: dict[str, list[Suppression]]) -> None:
        for fingerprint, rows in found.items():
            labels = rows[0].labels if rows else {}
            pairs = ", ".join(f"{name}={value}" for name, value in sorted(labels.items()))
            self.stdout.write(f"{fingerprint} {pairs}")
            for row in rows:
                self.stdout.write(f"  {row.sentence}")

    def _print_json(self, found: dict[str, list[Suppression]]) -> None:
        rows = [
            {
                "fingerprint": row.fingerprint,
                "contact_point": row.contact_point,
                "receiver": row.receiver,
                "kind": row.kind,
                "causes": row.causes,
                "since": row.since,
                "until": row.until,
                "ended_at": row.ended_at,
                "sentence": row.sentence,
            }
            for each in found.values()
            for row in each
        ]
        self.stdout.write(orjson.dumps(rows, option=orjson.OPT_INDENT_2).decode())

    def _pair(self, text: str) -> tuple[str, str]:
        name, separator, value = text.partition("=")
        if not separator or not name:
            raise CommandError(f"{text!r} is no label: write name=value.")
        return name, value
