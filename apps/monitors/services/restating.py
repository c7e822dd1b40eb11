"""Saying again what stands: samples of slowly checked monitors between their checks.

A query looks back five minutes. Of a monitor checked every hour ``probe_state`` would vanish five
minutes after each check, and alerts on it would end and begin again. So its standing state and
the verdict of its last check are written again at least every two minutes, by one process of all.
"""

import logging
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from time import monotonic

from apps.monitors.enums import MonitorStateName
from apps.monitors.models import Monitor
from apps.monitors.selectors.recent import recent_read
from apps.monitors.services.plans import labels_of
from apps.monitors.services.samples import standing_samples
from apps.series.selectors import series_store
from detectviz.clock import to_ms, utc_now
from detectviz.contracts.types import CheckState
from detectviz.runtime.leases import lease_acquire, lease_release
from detectviz.tsdb.interface import Sample, SeriesStore, StoreError

LEASE = "monitors.restate"
LEASE_S = 90.0
LOOK_EVERY_S = 30.0
RESTATE_EVERY_S = 90.0  # looked at every 30 s: never more than 120 s apart
SLOW_FROM_S = 120.0
_ACROSS = "one process restates for every org"

logger = logging.getLogger(__name__)


def standings_restate(*, store: SeriesStore, now: datetime) -> int:
    """Write the standing samples of slow monitors at ``now``; return of how many monitors.

    Left out are monitors that are paused or not checked in maintenance, those never checked or
    unknown, and those being checked now.
    ``now`` must have been read before: a check claimed, a pause or a deletion meanwhile then
    writes later samples, and the last word is theirs. Raise StoreError when nothing was stored.
    """
    batches: dict[str, list[Sample]] = defaultdict(list)
    count = 0
    for monitor in _slow_monitors():
        batches[monitor.org.uid].extend(_samples_of(monitor, to_ms(now)))
        count += 1
    for tenant, samples in batches.items():
        store.append(tenant, samples)
    return count


def _slow_monitors() -> Iterator[Monitor]:
    rows = Monitor.objects.across_orgs(reason=_ACROSS).filter(
        is_enabled=True,
        schedule__is_active=True,
        interval_s__gt=SLOW_FROM_S,
        org__is_active=True,
        schedule__lease_owner="",
        state__last_check_at__isnull=False,
    )
    known = rows.exclude(state__state=MonitorStateName.UNKNOWN)
    wide = ("secrets", "notes", "description")
    yield from known.select_related("org", "state").defer(*wide).iterator()


def _samples_of(monitor: Monitor, at_ms: int) -> Iterator[Sample]:
    recent = recent_read(monitor.state.recent)
    return standing_samples(
        base=labels_of(monitor),
        state=CheckState(monitor.state.state),
        observed=recent[-1].state if recent else CheckState.UNKNOWN,
        timestamp_ms=at_ms,
    )


@dataclass(slots=True, kw_only=True)
class Restater:
    """Restates while this process holds the lease; ``tick`` is called about every second."""

    owner: str
    _look_at: float = 0.0
    _restate_at: float = 0.0

    def tick(self) -> None:
        """Renew the lease when it is time, and restate if it is ours and time for that."""
        moment = monotonic()
        if moment < self._look_at:
            return
        self._look_at = moment + LOOK_EVERY_S
        now = utc_now()
        epoch = lease_acquire(name=LEASE, owner=self.owner, ttl_s=LEASE_S, now=now)
        if epoch is None or moment < self._restate_at:
            return
        try:
            standings_restate(store=series_store(), now=now)
        except StoreError as error:
            logger.warning("standing states not restated: %s; again in %g s", error, LOOK_EVERY_S)
        else:
            self._restate_at = moment + RESTATE_EVERY_S

    def stop(self) -> None:
        """Let another process go on at once."""
        lease_release(name=LEASE, owner=self.owner)
