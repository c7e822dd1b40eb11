"""Celery beat, made single by a database lease."""

import logging
from typing import Any

from celery.beat import Scheduler, Service
from django.db import close_old_connections
from django.db.utils import DatabaseError

from detectviz.celery import app, gather_schedule
from detectviz.clock import utc_now
from detectviz.runtime.leases import lease_acquire, lease_release, process_owner
from detectviz.runtime.telemetry import scheduler_lateness

LEASE = "beat"
TTL_S = 8.0
RENEW_S = 2.0

logger = logging.getLogger(__name__)


class LeasedScheduler(Scheduler):
    """An in-memory scheduler that only ticks while this process holds the ``beat`` lease."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._renew_at = 0.0
        self._epoch: int | None = None
        self._held_since = utc_now()
        super().__init__(*args, **kwargs)

    def setup_schedule(self) -> None:
        """Install the gathered schedule."""
        self.merge_inplace(gather_schedule())  # type: ignore[arg-type]  # plain dicts become entries
        self.install_default_entries(self.schedule)

    def schedules_equal(self, *_: Any) -> bool:
        """Answer without comparing: what code gathered at the start is never edited."""
        return True

    def adjust(self, n: float, drift: float = 0.0) -> float:
        """Return seconds to sleep as they are: Celery wakes 10 ms early and spins till then."""
        return n

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Send what is due if the lease is ours; return seconds to the next look."""
        now = utc_now()
        if now.timestamp() >= self._renew_at:
            self._renew(now.timestamp())
        if self._epoch is None:
            return RENEW_S / 2
        delay: float = super().tick(*args, **kwargs)
        return min(delay, max(self._renew_at - utc_now().timestamp(), 0.01))

    def apply_entry(self, entry: Any, producer: Any = None) -> None:
        """Send one due entry, and note how late that is."""
        if entry.last_run_at >= self._held_since:  # before, somebody else sent it
            late_s = -entry.schedule.remaining_estimate(entry.last_run_at).total_seconds()
            scheduler_lateness.labels("beat").observe(max(late_s, 0.0))
        super().apply_entry(entry, producer)

    def _renew(self, now_s: float) -> None:
        close_old_connections()
        held = self._epoch
        try:
            self._epoch = lease_acquire(
                name=LEASE, owner=process_owner(), ttl_s=TTL_S, now=utc_now()
            )
        except DatabaseError as error:
            # Without the database nobody can have taken the lease away before it expires,
            # but nothing that is sent could be done either.
            self._epoch = None
            logger.warning("beat: no database (%s)", error)
        if held is None and self._epoch is not None:
            self._held_since = utc_now()
            logger.info("beat: this process ticks now (epoch %d)", self._epoch)
        self._renew_at = now_s + RENEW_S

    def close(self) -> None:
        """Give the lease back."""
        if self._epoch is not None:
            lease_release(name=LEASE, owner=process_owner())
        super().close()


def beat_service() -> Service:
    """Return a beat service for a thread of this process."""
    return Service(app, scheduler_cls=LeasedScheduler, max_interval=1)
