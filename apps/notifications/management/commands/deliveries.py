"""`detectviz deliveries list|show|replay`: the delivery log and its dead letters."""

from argparse import ArgumentParser
from typing import Any

import orjson
from django.db import models

from apps.notifications.enums import DeliveryStatus
from apps.notifications.models import Delivery
from apps.notifications.selectors import dead_letter_uids, delivery_get, delivery_list
from apps.notifications.services.dead_letters import deliveries_replay
from apps.orgs.selectors import org_get
from detectviz.cli.base import OrgCommand
from detectviz.clock import utc_now
from detectviz.resources.errors import InvalidFieldsError, NotFoundError


class Command(OrgCommand):
    """Read the log; send dead letters again."""

    help = "List deliveries, show one with its attempts, send again what failed for good."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the verbs."""
        verbs = parser.add_subparsers(dest="verb", required=True)
        found = verbs.add_parser("list", help="the latest deliveries")
        found.add_argument("--status", choices=DeliveryStatus.values, default="")
        found.add_argument("--alert", default="", metavar="FINGERPRINT")
        found.add_argument("--limit", type=int, default=50)
        shown = verbs.add_parser("show", help="one delivery and its attempts")
        shown.add_argument("name")
        again = verbs.add_parser("replay", help="send dead letters again")
        again.add_argument("names", nargs="*", metavar="name")
        again.add_argument("--all", action="store_true", help="the latest 1,000")
        for verb in (found, again):
            verb.add_argument("--contact-point", default="")
        for verb in (found, shown, again):
            super().add_arguments(verb)
            verb.add_argument("-o", "--output", choices=("table", "json"), default="table")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do what the verb says."""
        org = org_get(options["org"])
        if org is None:
            raise NotFoundError(f"There is no org {options['org']!r}.")
        verbs = {"list": self._list, "show": self._show, "replay": self._replay}
        verbs[options["verb"]](org, options)

    def _list(self, org: models.Model, options: dict[str, Any]) -> None:
        rows = delivery_list(
            org=org,
            status=options["status"],
            contact_point=options["contact_point"],
            fingerprint=options["alert"],
            limit=options["limit"],
        )
        if options["output"] == "json":
            self._json([_summary(row) for row in rows])
            return
        self.print_table(
            ("DELIVERY", "STATUS", "CONTACT POINT", "RECEIVER", "ATTEMPTS", "WRITTEN", "ERROR"),
            [[str(value) for value in _summary(row).values()] for row in rows],
        )

    def _show(self, org: models.Model, options: dict[str, Any]) -> None:
        row = delivery_get(org=org, uid=options["name"])
        if options["output"] == "json":
            self._json({**_summary(row), "history": row.history, "payload": row.payload})
            return
        self.print_table(
            ("AT", "STATUS", "REASON", "CODE", "SECONDS", "ERROR"),
            [[str(each.get(name) or "") for name in _ATTEMPT] for each in row.history],
        )

    def _replay(self, org: models.Model, options: dict[str, Any]) -> None:
        names = list(options["names"])
        if bool(names) == bool(options["all"]):
            raise InvalidFieldsError({"name": ["Name dead letters, or say --all."]})
        if not names:
            names = dead_letter_uids(org=org, contact_point=options["contact_point"])
        count = deliveries_replay(org=org, uids=names, now=utc_now())
        if options["output"] == "json":
            self._json({"replayed": count})
        else:
            self.stdout.write(f"{count} sent again; others had not failed for good.")

    def _json(self, value: Any) -> None:
        self.stdout.write(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())


_ATTEMPT = ("at", "status", "reason", "status_code", "duration_s", "error")


def _summary(row: Delivery) -> dict[str, Any]:
    return {
        "name": row.uid,
        "status": row.status,
        "contact_point": row.contact_point,
        "receiver": row.receiver,
        "attempts": row.attempts,
        "created_at": row.created_at.isoformat(),
        "error": row.error[:120],
    }
