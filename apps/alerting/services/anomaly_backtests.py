"""Backtest of an anomaly rule: what it would have told over stored history, changing nothing.

Nothing is recorded yet for a rule that is being written, so the band is worked out here from the
watched expression alone, as the generated rules would: the same samples, at steps of five minutes.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from apps.alerting.services.anomaly_rules import (
    LEAST_SAMPLES,
    QUANTILES,
    AnomalyTerms,
    watched_expr,
)
from apps.alerting.services.backtests import Firing
from apps.alerting.services.queries import rule_querier
from apps.alerting.services.replays import Replay
from apps.series.services import series_store
from detectviz.clock import from_ms, to_ms
from detectviz.contracts.durations import parse_duration_ms
from detectviz.promql.errors import PromqlError
from detectviz.promql.parser import parse
from detectviz.resources.errors import InvalidFieldsError
from detectviz.tsdb.interface import METRIC_NAME, StoreError

STEP_MS = 5 * 60_000
TIMEOUT_S = 15.0
MOST_ELEMENTS = 1_000_000  # 70 series over nine weeks
MOST_FIRINGS = 200
_PER_HOUR = 12
_PER_WEEK = 7 * 24 * _PER_HOUR
Floats: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """One firing with the reason at the moment it fired."""

    firing: Firing
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """The series that was unusual longest, with its band; None is a gap."""

    labels: Mapping[str, str]
    times_ms: Sequence[int]
    value: Sequence[float | None]
    low: Sequence[float | None]
    high: Sequence[float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnomalyBacktest:
    """What would have been told between two times.

    ``series`` were there, ``judged`` of them with two weeks of history at some time. ``total``
    counts all firings, of which the first 200 are in ``firings``.
    """

    start: datetime
    end: datetime
    series: int
    judged: int
    total: int
    firings: Sequence[Explained]
    drawn: Drawn | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Band:
    value: Floats
    low: Floats
    high: Floats
    is_beyond: npt.NDArray[np.bool_]


def anomaly_backtest(
    *, org: Any, terms: AnomalyTerms, now: datetime, span: timedelta
) -> AnomalyBacktest:
    """Judge the past by a rule; raise InvalidFieldsError naming what to change."""
    end_ms = to_ms(now) // STEP_MS * STEP_MS
    steps = max(1, round(span.total_seconds() * 1000 / STEP_MS))
    before = terms.weeks * _PER_WEEK + _PER_HOUR
    first_ms = end_ms - (steps + before - 1) * STEP_MS
    found = _watched(org, terms, first_ms, end_ms, steps + before)
    start_ms = end_ms - (steps - 1) * STEP_MS
    judged = {labels: _band(terms, values, before) for labels, values in found.items()}
    firings = [
        each
        for labels, band in judged.items()
        for each in _firings(dict(labels), band, start_ms, parse_duration_ms(terms.for_))
    ]
    firings.sort(key=lambda each: each.firing.fired_at)
    return AnomalyBacktest(
        start=from_ms(start_ms),
        end=from_ms(end_ms),
        series=len(found),
        judged=sum(bool(np.isfinite(band.low).any()) for band in judged.values()),
        total=len(firings),
        firings=firings[:MOST_FIRINGS],
        drawn=_drawn(judged, start_ms),
    )


_Labels: TypeAlias = frozenset[tuple[str, str]]


def _watched(
    org: Any, terms: AnomalyTerms, first_ms: int, end_ms: int, steps: int
) -> dict[_Labels, Floats]:
    """Return the watched series on the grid; NaN is a gap."""
    text = watched_expr(terms)
    try:
        parse(text)
    except PromqlError as error:
        raise InvalidFieldsError({"spec.expr": [str(error)]}) from error
    replay = Replay(querier=rule_querier(series_store(), org.uid), timeout_s=TIMEOUT_S)
    found: dict[_Labels, Floats] = {}
    elements = 0
    for at_ms, answered in replay.answers(text, start_ms=first_ms, end_ms=end_ms, step_ms=STEP_MS):
        if isinstance(answered, (PromqlError, StoreError)):
            raise InvalidFieldsError({"spec.expr": [str(answered)]}) from answered
        assert not isinstance(answered, Exception)
        elements += len(answered)
        if elements > MOST_ELEMENTS:
            message = (
                "It gives too many series to look back so far; narrow it, or take fewer weeks."
            )
            raise InvalidFieldsError({"spec.expr": [message]})
        for labels, value, histogram in answered:
            if histogram is None:
                own = frozenset((k, v) for k, v in labels.items() if k != METRIC_NAME)
                row = found.setdefault(own, np.full(steps, np.nan))
                row[(at_ms - first_ms) // STEP_MS] = value
    return found


def _band(terms: AnomalyTerms, values: Floats, before: int) -> _Band:
    """Return value and band of the steps that are judged, those from ``before`` on."""
    hours = np.lib.stride_tricks.sliding_window_view(values, _PER_HOUR)  # the last is at +11
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of hours without a sample
        quantiles = np.nanquantile(hours, [float(each) for each in QUANTILES], axis=1)
        at = np.arange(before, len(values))
        ends = [at - week * _PER_WEEK + _PER_HOUR // 2 for week in range(1, terms.weeks + 1)]
        sample = np.concatenate([quantiles[:, end - _PER_HOUR + 1] for end in ends])
        median = np.nanmedian(sample, axis=0)
        mad = np.nanmedian(np.abs(sample - median), axis=0)
    half = np.maximum(mad * terms.deviations, np.abs(median) * terms.least_percent / 100)
    is_known = np.isfinite(sample).sum(axis=0) >= LEAST_SAMPLES
    low = np.where(is_known, median - half, np.nan)
    high = np.where(is_known, median + half, np.nan)
    value = values[before:]
    is_above, is_below = value > high, value < low
    beyond = {"above": is_above, "below": is_below}.get(terms.direction, is_above | is_below)
    return _Band(value=value, low=low, high=high, is_beyond=beyond)


def _firings(
    labels: Mapping[str, str], band: _Band, start_ms: int, for_ms: int
) -> Sequence[Explained]:
    """Return the stretches beyond the band that last at least ``for``."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], band.is_beyond.astype(np.int8), [0]))))
    found = []
    for begin, over in edges.reshape(-1, 2).tolist():
        fired = begin + -(-for_ms // STEP_MS)
        if fired >= over:
            continue
        values = band.value[fired:over]
        middle = (band.low[fired] + band.high[fired]) / 2
        firing = Firing(
            labels=labels,
            active_at=from_ms(start_ms + begin * STEP_MS),
            fired_at=from_ms(start_ms + fired * STEP_MS),
            resolved_at=(
                from_ms(start_ms + over * STEP_MS) if over < len(band.is_beyond) else None
            ),
            peak=float(values[np.argmax(np.abs(values - middle))]),
        )
        found.append(
            Explained(
                firing=firing,
                value=float(band.value[fired]),
                low=float(band.low[fired]),
                high=float(band.high[fired]),
            )
        )
    return found


def _drawn(judged: Mapping[_Labels, _Band], start_ms: int) -> Drawn | None:
    if not judged:
        return None
    labels, band = max(judged.items(), key=lambda item: int(item[1].is_beyond.sum()))
    return Drawn(
        labels=dict(labels),
        times_ms=[start_ms + step * STEP_MS for step in range(len(band.value))],
        value=_gaps(band.value),
        low=_gaps(band.low),
        high=_gaps(band.high),
    )


def _gaps(values: Floats) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in values]
