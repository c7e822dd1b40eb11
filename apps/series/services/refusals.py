"""What was refused lately, so that an org's people can see why samples of theirs are missing."""

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import DatabaseError, models, transaction

from apps.orgs.selectors import org_get_by_uid
from apps.series.models import Refusal

KEPT = timedelta(days=7)
_WRITTEN_EVERY_S = 10.0  # a sender that is refused all the time costs little SQL
_LONGEST_EXAMPLE = 400

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Noted:
    count: int
    example: str
    at: datetime


class _Notes:
    """Counts of this process that are not written yet, by org's uid, door, reason and hour."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._noted: dict[tuple[str, str, str, datetime], _Noted] = {}
        self._written_at_s: float | None = None

    def add(
        self, tenant: str, door: str, counts: Mapping[str, int], example: str, now: datetime
    ) -> None:
        hour = now.replace(minute=0, second=0, microsecond=0)
        with self._lock:
            for reason, count in counts.items():
                noted = self._noted.setdefault(
                    (tenant, door, reason, hour), _Noted(0, example, now)
                )
                noted.count += count
                noted.example, noted.at = example, now

    def take(self, *, is_urgent: bool) -> dict[tuple[str, str, str, datetime], _Noted]:
        """Return what is to be written now, and forget it."""
        now_s = time.monotonic()
        with self._lock:
            is_due = self._written_at_s is None or now_s - self._written_at_s >= _WRITTEN_EVERY_S
            if not self._noted or not (is_due or is_urgent):
                return {}
            taken, self._noted, self._written_at_s = self._noted, {}, now_s
        return taken


_notes = _Notes()


def refusals_note(
    *, tenant: str, door: str, counts: Mapping[str, int], example: str, now: datetime
) -> None:
    """Count refused samples of an org (its uid) by reason; ``example`` is one of them in words.

    Written at most every ten seconds by each process; a failure to write is logged only.
    """
    if counts:
        _notes.add(tenant, door, counts, example[:_LONGEST_EXAMPLE].replace("\0", ""), now)
        refusals_write()


def refusals_write(*, is_urgent: bool = False) -> None:
    """Write what this process noted, if it is time or ``is_urgent``."""
    taken = _notes.take(is_urgent=is_urgent)
    if not taken:
        return
    try:
        with transaction.atomic():
            for (tenant, door, reason, hour), noted in taken.items():
                _write(tenant, door, reason, hour, noted)
    except DatabaseError:
        logger.warning("refused samples could not be counted", exc_info=True)


def refusals_prune(*, now: datetime) -> int:
    """Delete counts that are older than a week; return how many."""
    rows = Refusal.objects.across_orgs(reason="maintenance looks after every org's counts")
    return int(rows.filter(hour_at__lt=now - KEPT).delete()[0])


def _write(tenant: str, door: str, reason: str, hour: datetime, noted: _Noted) -> None:
    org = org_get_by_uid(tenant)
    if org is None:
        return
    key = {"door": door, "reason": reason, "hour_at": hour}
    rows = Refusal.objects.for_org(org)
    rows.bulk_create([Refusal(org_id=org.pk, last_at=noted.at, **key)], ignore_conflicts=True)
    rows.filter(**key).update(
        count=models.F("count") + noted.count, example=noted.example, last_at=noted.at
    )
