"""Counters of the engine, for the host to export as ``detectviz_engine_…``."""

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import Final

from detectviz.contracts.types import CheckState

LAG_BUCKETS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineStats:
    """A snapshot. Counts are since the start; ``lag_counts`` has one more entry (+Inf).

    ``lag_counts`` are per bucket, not cumulative; ``loop_lag_s`` is the latest wake-up's delay.
    """

    submitted: int
    started: int
    finished: dict[CheckState, int]
    timed_out: int
    plugin_failures: int
    prober_offline: int
    abandoned: int
    scheduled: int
    waiting_for_host: int
    waiting_for_pace: int
    in_flight: int
    buffered: int
    flushed: int
    flushes: int
    flush_failures: int
    last_flush_s: float
    is_pushing_back: bool
    lag_counts: tuple[int, ...]
    lag_sum_s: float
    lag_max_s: float
    loop_lag_s: float


@dataclass(slots=True, kw_only=True)
class Counters:
    """The engine's own running counts; written in the loop only."""

    submitted: int = 0
    started: int = 0
    finished: dict[CheckState, int] = field(default_factory=lambda: dict.fromkeys(CheckState, 0))
    timed_out: int = 0
    plugin_failures: int = 0
    prober_offline: int = 0
    abandoned: int = 0
    lag_counts: list[int] = field(default_factory=lambda: [0] * (len(LAG_BUCKETS_S) + 1))
    lag_sum_s: float = 0.0
    lag_max_s: float = 0.0
    loop_lag_s: float = 0.0

    def count_start(self, lag_s: float) -> None:
        """Count one started check and how late it was."""
        self.started += 1
        self.lag_counts[bisect_left(LAG_BUCKETS_S, lag_s)] += 1
        self.lag_sum_s += lag_s
        self.lag_max_s = max(self.lag_max_s, lag_s)
