"""The newest sample of each series."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from apps.series.selectors.store import series_store
from detectviz.contracts.histograms import Histogram
from detectviz.promql.labels import label_key
from detectviz.tsdb.interface import STALE_NAN_BITS, Matcher


@dataclass(frozen=True, slots=True, kw_only=True)
class Newest:
    """One series at its newest sample; ``value`` is NaN where there is a native histogram."""

    labels: Mapping[str, str]
    timestamp_ms: int
    value: float
    histogram: Histogram | None = None


def newest_list(
    tenant: str, *, selectors: Sequence[Sequence[Matcher]], at_ms: int, lookback_ms: int
) -> list[Newest]:
    """Return the series one of the selectors matches, each once, by labels.

    As an instant selector sees them: nothing older than the lookback, nothing stale.
    """
    found: dict[tuple[tuple[str, str], ...], Newest] = {}
    for matchers in selectors:
        raw = series_store().select(tenant, matchers, at_ms - lookback_ms + 1, at_ms)
        counts = np.diff(raw.offsets)
        rows = np.flatnonzero(counts > 0)
        last = raw.offsets[1:][rows] - 1
        values, times = raw.values[last], raw.timestamps_ms[last]
        is_shown = values.view(np.uint64) != STALE_NAN_BITS
        histograms = np.full(len(last), None) if raw.histograms is None else raw.histograms[last]
        for row, at, value, histogram in zip(
            rows[is_shown].tolist(),
            times[is_shown].tolist(),
            values[is_shown].tolist(),
            histograms[is_shown].tolist(),
            strict=True,
        ):
            labels = raw.labels[row]
            found[label_key(labels)] = Newest(
                labels=labels, timestamp_ms=at, value=value, histogram=histogram
            )
    return [found[key] for key in sorted(found)]
