"""Evaluates the groups that ask datasources beside all others, so that nobody waits for them.

A datasource may take its whole 30 s. Groups that read the org's own series are therefore
evaluated by the task itself, and those that ask datasources by a few threads of the process,
which claims only as many as it has threads for. Whatever is lost with the process has a lease
that expires.
"""

import logging
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from django.conf import settings
from django.db import connections

from apps.alerting.services.groups import Claim, claim_evaluate, groups_claim_due
from detectviz.clock import Clock, utc_now

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Lane:
    """Some threads, and how many of them are free."""

    threads: int
    clock: Clock = utc_now
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _busy: int = 0
    _pool: ThreadPoolExecutor | None = None

    def begin(self, *, owner: str) -> int:
        """Claim due groups for the free threads and return at once; say how many were claimed."""
        with self._lock:
            free = self.threads - self._busy
            if free <= 0:
                return 0
            claims = groups_claim_due(
                owner=owner, now=self.clock(), limit=free, asks_datasources=True
            )
            for claim in claims:
                self._submit(claim)
        return len(claims)

    def _submit(self, claim: Claim) -> None:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self.threads, thread_name_prefix="rule-datasources")
        self._pool.submit(self._run, claim)
        self._busy += 1

    def _run(self, claim: Claim) -> None:
        try:
            claim_evaluate(claim, clock=self.clock)
        finally:
            with self._lock:
                self._busy -= 1
            connections.close_all()

    def close(self) -> None:
        """Wait for what is under way and end the threads."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None


_lanes: dict[int, Lane] = {}  # by process: threads do not survive a fork


def datasource_groups_begin(*, owner: str) -> int:
    """Begin evaluating due groups that ask datasources, as many as this process may at once."""
    lane = _lanes.setdefault(os.getpid(), Lane(settings.RULE_DATASOURCE_GROUPS))
    return lane.begin(owner=owner)
