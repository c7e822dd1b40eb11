"""The counter reset hints that Prometheus' storage reads histograms with.

Ours keeps the hints it was given; the scripts expect those of Prometheus, which depend on what
went before in the same chunk.
"""

from collections.abc import Sequence
from dataclasses import replace

from detectviz.promql.histograms.resets import is_reset
from detectviz.tsdb.histograms import CounterReset, Histogram


def with_hints(samples: Sequence[Histogram | None]) -> list[Histogram | None]:
    """Return consecutive samples of a series with hints.

    A counter that goes on from the sample before says so; one that may have restarted, or has
    another layout, is left for comparison. Gauges stay gauges.
    """
    hinted: list[Histogram | None] = []
    previous: Histogram | None = None
    for current in samples:
        if current is None or current.counter_reset is CounterReset.GAUGE:
            hinted.append(current)
        else:
            goes_on = previous is not None and _goes_on(current, previous)
            hint = CounterReset.NO if goes_on else CounterReset.UNKNOWN
            hinted.append(replace(current, counter_reset=hint))
        previous = current
    return hinted


def _goes_on(current: Histogram, previous: Histogram) -> bool:
    if CounterReset.GAUGE is previous.counter_reset or current.counter_reset is CounterReset.YES:
        return False
    return (
        current.schema == previous.schema
        and current.zero_threshold == previous.zero_threshold
        and current.custom_values == previous.custom_values
        and not is_reset(replace(current, counter_reset=CounterReset.UNKNOWN), previous)
    )
