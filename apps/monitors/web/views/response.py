"""The response-time chart of a monitor: phases stacked, states behind, limits across."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from apps.monitors.models import Monitor, StateChange
from apps.monitors.selectors.monitors import state_history
from apps.series.selectors import ChartSeries as Samples
from apps.series.selectors import chart_series
from detectviz.contracts.types import CheckState
from detectviz.web.charts import Band, Chart, ChartSeries, Threshold

RANGES: Mapping[str, timedelta] = {
    "1h": timedelta(hours=1),
    "6h": timedelta(hours=6),
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
}
_PHASED = {"http": "probe_http_duration_seconds", "ping": "probe_icmp_duration_seconds"}
_WHOLE = "probe_duration_seconds"
_PHASES = ("resolve", "connect", "tls", "processing", "transfer", "setup", "rtt")
_PHASE_NAMES = {"resolve": "DNS", "tls": "TLS", "rtt": "Round trip"}
_BAD = frozenset({CheckState.DOWN.value, CheckState.DEGRADED.value})
_MOST_CHANGES = 500
_GAP_INTERVALS = 3.5
_POINTS = 400
_SHORTEST = timedelta(minutes=5)


def response_chart(org: Any, monitor: Monitor, *, range_name: str, now: datetime) -> Chart:
    """Return the chart over one of RANGES (the first where unknown); raise StoreError."""
    span = RANGES.get(range_name) or next(iter(RANGES.values()))
    start = max(now - span, _beginning(monitor, now))
    lines = _lines(org, monitor, start, now)
    gap_ms = max(_GAP_INTERVALS * monitor.interval_s, 2 * span.total_seconds() / _POINTS) * 1000
    times = _with_gaps(sorted({at for line in lines for at in line.timestamps_ms}), gap_ms)
    return Chart(
        times=[at / 1000 for at in times],
        series=[_series(line, times) for line in lines],
        unit="s",
        start=start.timestamp(),
        end=now.timestamp(),
        is_stacked=len(lines) > 1,
        thresholds=_thresholds(monitor),
        bands=list(_bands(state_history(monitor, limit=_MOST_CHANGES), monitor, start, now)),
        empty="No results in this range yet. The first check writes the first point.",
    )


def _beginning(monitor: Monitor, now: datetime) -> datetime:
    """Return from when on there can be results: the chart of a new monitor is not mostly empty."""
    return min(monitor.created_at, now - _SHORTEST)


def _lines(org: Any, monitor: Monitor, start: datetime, end: datetime) -> list[Samples]:
    for metric in filter(None, (_PHASED.get(monitor.type), _WHOLE)):
        found = chart_series(
            org,
            metric=metric,
            equal={"monitor": monitor.name},
            start=start,
            end=end,
            points=_POINTS,
        )
        if found:
            return sorted(found, key=lambda line: _place(line.labels))
    return []


def _place(labels: Mapping[str, str]) -> tuple[int, str]:
    phase = labels.get("phase", "")
    return (_PHASES.index(phase) if phase in _PHASES else len(_PHASES), phase)


def _with_gaps(times: Sequence[int], gap_ms: float) -> list[int]:
    """Put a time without values into every long silence, so that the line breaks there."""
    filled: list[int] = []
    for at in times:
        if filled and at - filled[-1] > gap_ms:
            filled.append(filled[-1] + 1)
        filled.append(at)
    return filled


def _series(line: Samples, times: Iterable[int]) -> ChartSeries:
    values = dict(zip(line.timestamps_ms, line.values, strict=True))
    phase = line.labels.get("phase", "")
    label = _PHASE_NAMES.get(phase, phase.capitalize()) or "Response time"
    return ChartSeries(label=label, values=[values.get(at) for at in times])


def _thresholds(monitor: Monitor) -> list[Threshold]:
    limits = (("degraded", monitor.degraded_above_s), ("down", monitor.down_above_s))
    return [Threshold(value=limit, label=f"{name} above") for name, limit in limits if limit]


def _bands(
    changes: Sequence[StateChange], monitor: Monitor, start: datetime, end: datetime
) -> Iterable[Band]:
    until = end
    for change in changes:
        if change.state in _BAD and until > start:
            begins = max(change.at, start)
            yield Band(start=begins.timestamp(), end=until.timestamp(), state=change.state)
        until = change.at
        if until <= start:
            return
    oldest = changes[-1].previous if changes else monitor.state.state
    if oldest in _BAD and until > start and monitor.state.last_check_at:
        yield Band(start=start.timestamp(), end=until.timestamp(), state=oldest)
