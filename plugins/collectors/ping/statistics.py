"""Numbers about a series of round trips: pure functions, seconds in and out."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil
from statistics import fmean, median, pstdev

_PERCENTILES = {"p90": 0.90, "p95": 0.95, "p99": 0.99}


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundTrips:
    """Statistics of the answered packets."""

    minimum: float
    average: float
    median: float
    maximum: float
    deviation: float
    jitter: float
    percentiles: dict[str, float]

    def named(self, statistic: str) -> float:
        """Return one by the name the configuration uses."""
        if statistic in self.percentiles:
            return self.percentiles[statistic]
        others = {"average": self.average, "median": self.median, "maximum": self.maximum}
        return others[statistic]


def summarise(round_trips: Sequence[float]) -> RoundTrips | None:
    """Return the statistics of ``round_trips`` in the order they were sent; None without any.

    Jitter is the mean absolute difference of successive round trips (RFC 3550's idea without its
    smoothing); percentiles are by the nearest rank.
    """
    if not round_trips:
        return None
    ordered = sorted(round_trips)
    steps = [abs(after - before) for before, after in pairwise(round_trips)]
    return RoundTrips(
        minimum=ordered[0],
        average=fmean(ordered),
        median=median(ordered),
        maximum=ordered[-1],
        deviation=pstdev(ordered),
        jitter=fmean(steps) if steps else 0.0,
        percentiles={
            name: ordered[ceil(share * len(ordered)) - 1] for name, share in _PERCENTILES.items()
        },
    )
