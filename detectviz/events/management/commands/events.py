"""`detectviz events list|inspect|replay|discard [UID …]`: an org's dead letters."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from detectviz.cli.base import OrgCommand
from detectviz.clock import utc_now
from detectviz.events.envelopes import dead_letter_envelope
from detectviz.events.models import EventDelivery
from detectviz.events.selectors import dead_letter_get, dead_letter_list
from detectviz.events.services import dead_letter_discard, dead_letter_replay
from detectviz.tenancy.selectors import org_get

ACTIONS = {"replay": dead_letter_replay, "discard": dead_letter_discard}
MOST = 500


class Command(OrgCommand):
    """Look after the dead letters of one org."""

    help = "List, inspect, replay or discard the dead letters of an org."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the verb and what it is about."""
        super().add_arguments(parser)
        parser.add_argument("verb", choices=["list", "inspect", *ACTIONS])
        parser.add_argument("uid", nargs="*", help="uids of dead letters")
        parser.add_argument("--all", action="store_true", help="every dead letter of the org")
        parser.add_argument("-o", "--output", choices=["yaml", "json"], default="yaml")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it."""
        org = org_get(name=options["org"])
        if org is None:
            raise CommandError(f"There is no org {options['org']!r}.")
        if options["verb"] == "list":
            self._list(list(dead_letter_list(org)[:MOST]))
            return
        rows = list(dead_letter_list(org)) if options["all"] else []
        rows += [self._get(org, uid) for uid in options["uid"]]
        if not rows and not options["all"]:
            raise CommandError("Name dead letters by their uid, or use --all.")
        if options["verb"] == "inspect":
            self.print_documents([dead_letter_envelope(row) for row in rows], options["output"])
            return
        for row in rows:
            ACTIONS[options["verb"]](org=org, row=row, now=utc_now())
        self.stdout.write(f"{options['verb']}: {len(rows)}")

    def _get(self, org: Any, uid: str) -> EventDelivery:
        row = dead_letter_get(org, uid)
        if row is None:
            raise CommandError(f"This org has no dead letter {uid!r}.")
        return row

    def _list(self, rows: list[EventDelivery]) -> None:
        columns = ("UID", "EVENT", "SUBJECT", "TARGET", "SINCE", "ERROR")
        cells = [
            (
                row.uid,
                row.event.type,
                row.event.subject,
                row.target,
                f"{row.changed_at:%Y-%m-%d %H:%M:%S}",
                row.last_error[:80],
            )
            for row in rows
        ]
        self.print_table(columns, cells)
