"""The series that tell of alerts: ``ALERTS`` and ``ALERTS_FOR_STATE``, and stale markers."""

from collections.abc import Iterable, Mapping

from detectviz.tsdb.interface import METRIC_NAME, STALE_NAN, Sample

ALERTS = "ALERTS"
ALERTS_FOR_STATE = "ALERTS_FOR_STATE"
STATE_LABEL = "alertstate"


def active_series(
    labels: Mapping[str, str], *, is_firing: bool, active_at_ms: int, at_ms: int
) -> tuple[Sample, Sample]:
    """Return the two samples of one active alert; a recovering one is written as firing."""
    state = "firing" if is_firing else "pending"
    return (
        Sample({**labels, METRIC_NAME: ALERTS, STATE_LABEL: state}, at_ms, 1.0),
        Sample({**labels, METRIC_NAME: ALERTS_FOR_STATE}, at_ms, float(active_at_ms // 1000)),
    )


def marked_stale(
    before: Iterable[Sample], now: Iterable[Sample], *, at_ms: int
) -> tuple[Sample, ...]:
    """Return a stale marker for every series that was written last time and is not now."""
    written = {frozenset(sample.labels.items()) for sample in now}
    return tuple(
        Sample(sample.labels, at_ms, STALE_NAN)
        for sample in before
        if frozenset(sample.labels.items()) not in written
    )
