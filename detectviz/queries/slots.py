"""Threads for queries, shared fairly: limits in all, for each org and for each datasource.

A query that has to wait holds no thread. Of those that could start, the one whose org has the
fewest running starts first, then the one that came first.
"""

import contextvars
import threading
from collections import Counter, deque
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from detectviz.queries.errors import CrowdedError


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotLimits:
    """How many may run: in all, for one org, for one datasource; how many of an org may wait."""

    total: int = 32
    per_org: int = 12
    per_source: int = 8
    waiting_per_org: int = 256


@dataclass(slots=True, kw_only=True, eq=False)
class _Job:
    org: Hashable
    source: Hashable
    work: Callable[[], object]
    future: Future[Any]
    context: contextvars.Context = field(default_factory=contextvars.copy_context)


class Slots:
    """Runs work in threads under limits. Safe for threads; made once per process."""

    def __init__(self, limits: SlotLimits) -> None:
        self._limits = limits
        self._pool: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()
        self._waiting: deque[_Job] = deque()
        self._waiting_of: Counter[Hashable] = Counter()
        self._running: Counter[Hashable] = Counter()
        self._running_in_all = 0

    def submit(
        self, work: Callable[[], object], *, org: Hashable, source: Hashable
    ) -> "Future[Any]":
        """Run ``work`` when its turn comes; raise CrowdedError when too many of the org wait.

        Cancelling the future takes work that waits out of the queue.
        """
        job = _Job(org=("org", org), source=("source", org, source), work=work, future=Future())
        with self._lock:
            if self._waiting_of[job.org] >= self._limits.waiting_per_org:
                raise CrowdedError(
                    f"{self._limits.waiting_per_org} queries of this org are waiting already;"
                    " try again later"
                )
            self._waiting.append(job)
            self._waiting_of[job.org] += 1
        self._start()
        return job.future

    def running(self) -> int:
        """Return how many are running."""
        return self._running_in_all

    def _start(self) -> None:
        with self._lock:
            started = []
            while self._running_in_all < self._limits.total:
                job = self._chosen()
                if job is None:
                    break
                started.append(job)
            if started and self._pool is None:
                self._pool = ThreadPoolExecutor(
                    self._limits.total, thread_name_prefix="datasource-query"
                )
        for job in started:
            assert self._pool is not None
            self._pool.submit(job.context.run, self._run, job)

    def _chosen(self) -> _Job | None:
        best: _Job | None = None
        for job in [each for each in self._waiting if each.future.cancelled()]:
            self._forget(job)
        for job in self._waiting:
            is_free = (
                self._running[job.org] < self._limits.per_org
                and self._running[job.source] < self._limits.per_source
            )
            if is_free and (best is None or self._running[job.org] < self._running[best.org]):
                best = job
        if best is not None:
            self._forget(best)
            self._running_in_all += 1
            self._running[best.org] += 1
            self._running[best.source] += 1
        return best

    def _forget(self, job: _Job) -> None:
        self._waiting.remove(job)
        _decrease(self._waiting_of, job.org)

    def _run(self, job: _Job) -> None:
        try:
            if job.future.set_running_or_notify_cancel():
                _fulfil(job)
        finally:
            with self._lock:
                self._running_in_all -= 1
                _decrease(self._running, job.org)
                _decrease(self._running, job.source)
            self._start()


def _fulfil(job: _Job) -> None:
    try:
        result = job.work()
    except BaseException as error:  # noqa: BLE001 - whoever waits for the future gets it
        job.future.set_exception(error)
    else:
        job.future.set_result(result)


def _decrease(counter: Counter[Hashable], key: Hashable) -> None:
    counter[key] -= 1
    if counter[key] <= 0:
        del counter[key]
