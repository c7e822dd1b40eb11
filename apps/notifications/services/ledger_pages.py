"""The ledger of an org in pages: what is written down, and repeats that are not due yet.

What was told and is told again later has no rows of its own: notification records say it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from django.db import models

from apps.notifications.enums import SuppressionKind
from apps.notifications.models import (
    AlertGroup,
    NotificationRecord,
    RoutedAlert,
    SuppressionEntry,
)
from apps.notifications.services.answers import (
    Suppression,
    repeat_of,
    suppression_entries,
    suppression_of,
)
from detectviz.tenancy.listed import Texts


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerPages:
    """What is asked of the ledger; pages come the newest first."""

    org: models.Model
    now: datetime
    kind: str = ""
    contact_point: str = ""
    is_open: bool | None = None

    @property
    def count(self) -> int:
        """How many rows there are, of repeats at most."""
        if self._wants_repeats:
            return sum(len(record.firing) for record, _ in self._told())
        return self._entries().count()

    def page(self, *, offset: int, limit: int) -> list[Suppression]:
        """Return the rows from ``offset`` on."""
        if self._wants_repeats:
            return self._repeats(offset, limit)
        return [suppression_of(row) for row in self._entries()[offset : offset + limit]]

    @property
    def _wants_repeats(self) -> bool:
        return self.kind == SuppressionKind.DEDUP and self.is_open is not False

    def _entries(self) -> "models.QuerySet[SuppressionEntry]":
        return suppression_entries(
            org=self.org, kind=self.kind, contact_point=self.contact_point, is_open=self.is_open
        )

    def _repeats(self, offset: int, limit: int) -> list[Suppression]:
        told = (
            (fingerprint, record, group)
            for record, group in self._told()
            for fingerprint in record.firing
        )
        chosen = list(islice(told, offset, offset + limit))
        alerts = self._firing({fingerprint for fingerprint, _, _ in chosen})
        return [
            repeat_of(group, alerts[fingerprint], record, self.now)
            for fingerprint, record, group in chosen
            if fingerprint in alerts
        ]

    def _told(self) -> Iterator[tuple[NotificationRecord, AlertGroup]]:
        """Yield what receivers know to fire, in groups that are still there."""
        groups = {row.key_digest: row for row in AlertGroup.objects.for_org(self.org)}
        rows = NotificationRecord.objects.for_org(self.org).exclude(firing=[])
        if self.contact_point:
            rows = rows.filter(contact_point=self.contact_point)
        for record in rows.order_by("-sent_at", "-pk"):
            group = groups.get(record.key_digest)
            if group is not None and group.contact_point == record.contact_point:
                yield record, group

    def _firing(self, fingerprints: set[str]) -> Mapping[str, RoutedAlert]:
        rows = RoutedAlert.objects.for_org(self.org).filter(
            fingerprint__in=Texts(fingerprints), is_resolved=False
        )
        return {row.fingerprint: row for row in rows}
