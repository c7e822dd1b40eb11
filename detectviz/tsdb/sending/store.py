"""The series store of every remote backend: a queue in front, answers merged behind.

An append ends in the queue's file, so it works while the backend is away and survives kill -9 of
ours. A read asks the queue first and the backend then, and merges: whoever shares the data
directory sees at once what was appended, as a rule group needs that reads what its rule before it
wrote. Elsewhere samples are visible once sent, usually within a second.

Refusals of the backend come too late for the append that caused them: they go to the dead
letters. Start times of counters are not sent (remote write 1.0 has no place for them).
"""

import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from detectviz.tsdb.backend_url import QueueLimits
from detectviz.tsdb.columns import append_report, columns_of
from detectviz.tsdb.interface import (
    AppendReport,
    Cardinality,
    ColumnsReport,
    Matcher,
    Sample,
    SampleColumns,
    SelectHints,
    SeriesSet,
    StoreError,
)
from detectviz.tsdb.merging import label_sets_merged, series_sets_merged
from detectviz.tsdb.policy import PolicyOf, default_policy
from detectviz.tsdb.remote_limits import RemoteLimits
from detectviz.tsdb.sending.backend import Backend, RemoteQuery
from detectviz.tsdb.sending.columns import LabelMemory, joined, lots_of, refusals
from detectviz.tsdb.sending.dead_letters import DeadLetters
from detectviz.tsdb.sending.file import QueueFile, QueueStatus
from detectviz.tsdb.sending.lots import decode_lot, without
from detectviz.tsdb.sending.recent import Recent
from detectviz.tsdb.sending.sender import Sender, SenderThread

logger = logging.getLogger(__name__)

QUEUE_FOLDER = "queue"
QUEUE_FILE = "samples.sqlite"
DEAD_LETTERS = "dead-letters.jsonl"
_CLOSE_S = 5.0
_DRAIN_S = 10.0


class RemoteStore:
    """A ``SeriesStore`` over a backend, with a durable queue below ``data_dir``.

    ``start_sending`` begins to send from a thread; a process that never calls it (a command)
    leaves its samples to those that do, and tries itself when it is closed.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        data_dir: Path,
        limits: QueueLimits,
        policy: PolicyOf = default_policy,
    ) -> None:
        folder = data_dir / QUEUE_FOLDER
        self.backend = backend
        self._limits = RemoteLimits(policy)
        self._file = QueueFile(folder / QUEUE_FILE, limits=limits)
        self._memory = LabelMemory(backend.stamp, backend.refusal)
        self._recent = Recent(self._file)
        self._sender = Sender(self._file, backend, DeadLetters(folder / DEAD_LETTERS))
        self._thread: SenderThread | None = None
        self._has_appended = False

    def start_sending(self) -> None:
        """Send from a thread of this process, as long as no other process does."""
        if self._thread is None:
            self._thread = SenderThread(self._sender, self._file)
            self._thread.start()

    def stop_sending(self, deadline_s: float = _CLOSE_S) -> None:
        """Finish the request under way and let another process send."""
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.stop(deadline_s)

    def append(self, tenant: str, samples: Sequence[Sample]) -> AppendReport:
        """Put samples into the queue; when this returns they survive kill -9 and any outage.

        Raises:
            StoreError: nothing was stored; retryable when the queue is full.

        """
        return append_report(samples, self.append_columns(tenant, columns_of(samples)))

    def append_columns(self, tenant: str, columns: SampleColumns) -> ColumnsReport:
        """Put columns into the queue, as ``append``.

        Raises:
            StoreError: nothing was stored; retryable when the queue is full.
            RateLimitedError: nothing was stored: the tenant sends too fast.

        """
        admitted = self._limits.admit(tenant, columns)
        refused = self._enqueue(tenant, admitted.columns)
        if admitted.places is not None:
            places = admitted.places.tolist()
            refused = {places[at]: reason for at, reason in refused.items()} | admitted.refused
        stored = len(columns) - len(refused) - len(admitted.limited)
        return ColumnsReport(stored=stored, refused=refused, limited=admitted.limited)

    def _enqueue(self, tenant: str, columns: SampleColumns) -> dict[int, str]:
        labels, bad_series = self._memory.encoded(tenant, columns)
        refused = refusals(columns, bad_series, self.backend.histogram_refusal)
        lots = list(
            lots_of(joined(columns, labels), labels, refused, keeps_nan=self.backend.keeps_nan)
        )
        if lots:
            self._file.append(tenant, lots)
            self._has_appended = True
        if self._thread is not None:
            self._thread.wake()
        return refused

    def select(
        self,
        tenant: str,
        matchers: Sequence[Matcher],
        start_ms: int,
        end_ms: int,
        *,
        hints: SelectHints | None = None,
    ) -> SeriesSet:
        """Return raw samples with ``start_ms <= t <= end_ms``, those in the queue among them."""
        waiting = self._recent.select(tenant, matchers, start_ms, end_ms)
        stored = self.backend.select(tenant, matchers, start_ms, end_ms)
        return series_sets_merged([waiting, stored])

    def series(
        self, tenant: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int
    ) -> tuple[Mapping[str, str], ...]:
        """Return the label sets of matching series, ordered."""
        waiting = self._recent.select(tenant, matchers, start_ms, end_ms).labels
        return label_sets_merged([self.backend.series(tenant, matchers, start_ms, end_ms), waiting])

    def label_names(
        self, tenant: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int
    ) -> tuple[str, ...]:
        """Return the sorted label names of matching series."""
        waiting = self._recent.select(tenant, matchers, start_ms, end_ms).labels
        names = set(self.backend.label_names(tenant, matchers, start_ms, end_ms))
        return tuple(sorted(names.union(*waiting)))

    def label_values(
        self, tenant: str, name: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int
    ) -> tuple[str, ...]:
        """Return the sorted values of one label over matching series."""
        waiting = self._recent.select(tenant, matchers, start_ms, end_ms).labels
        values = set(self.backend.label_values(tenant, name, matchers, start_ms, end_ms))
        return tuple(sorted(values.union(one[name] for one in waiting if name in one)))

    def delete(self, tenant: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> int:
        """Delete samples there and in the queue; return how many series lost some.

        Raises:
            StoreError: the backend can't, or does not take what waits for it at the moment.

        """
        with self._file.claimed("step", wait=True):
            self._drain()
            gone = self._recent.select(tenant, matchers, start_ms, end_ms).labels
            found = self.backend.delete(tenant, matchers, start_ms, end_ms)
            if gone:
                self._rewrite(tenant, gone, start_ms, end_ms)
        return len(label_sets_merged([found, gone]))

    def cardinality(self, tenant: str, limit: int) -> Cardinality:
        """Return what the series the backend has are made of; the queue is not counted."""
        return self.backend.cardinality(tenant, limit)

    def query(self, tenant: str, query: RemoteQuery) -> bytes:
        """Let the backend evaluate a query; it knows nothing of what is in the queue."""
        return self.backend.query(tenant, query)

    def queue_status(self) -> QueueStatus:
        """Return how the queue is doing."""
        return self._file.status()

    def describe(self) -> str:
        """Say in a few words what the store is and what waits."""
        status = self._file.status()
        if not status.waiting_samples:
            return self.backend.kind
        return (
            f"{self.backend.kind}; {status.waiting_samples} samples wait in the queue, the oldest"
            f" for {status.oldest_age_s:.0f} s"
        )

    def check(self) -> None:
        """Raise StoreError unless the queue works and the backend takes writes and answers."""
        described = self.describe()
        try:
            self.backend.check()
        except StoreError as error:
            raise StoreError(f"{error} ({described})", retryable=error.retryable) from error

    def maintain(self, now_ms: int) -> None:
        """Do nothing: the backend compacts and expires by itself, the sender tidies the queue."""

    def drain(self, timeout_s: float = _DRAIN_S) -> bool:
        """Send what waits from here, if no other process does; return whether nothing waits."""
        ends_at = time.monotonic() + timeout_s
        with self._file.claimed("sender") as mine:
            while mine and self._file.status().waiting_samples and time.monotonic() < ends_at:
                with self._file.claimed("step", wait=True):
                    if not self._sender.step():
                        break
        return not self._file.status().waiting_samples

    def forget_sent(self) -> None:
        """Show readers no longer what was sent and may not be visible there yet."""
        self._file.forget(self._file.expired(0.0))

    def close(self) -> None:
        """Stop sending and release the file; what waits is sent by the next process."""
        self.stop_sending()
        try:
            if self._has_appended:
                self.drain(_CLOSE_S)
        except StoreError as error:
            logger.warning("samples stay in the queue: %s", error)
        self._file.close()
        self.backend.close()

    def _drain(self) -> None:
        ends_at = time.monotonic() + _DRAIN_S
        while self._file.status().waiting_samples:
            if not self._sender.step() and time.monotonic() > ends_at:
                raise StoreError(
                    "samples still wait for the backend, so what is deleted could come again:"
                    " try later",
                    retryable=True,
                )

    def _rewrite(
        self, tenant: str, gone: Sequence[Mapping[str, str]], start_ms: int, end_ms: int
    ) -> None:
        _, lots = self._file.present(tenant, known=())
        for stored in lots:
            left = without(decode_lot(stored.data), gone, start_ms, end_ms)
            self._file.replace(stored, left)
