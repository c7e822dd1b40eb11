"""Windows of samples: what comes within one becomes one sample for each group."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from detectviz.contracts.records import MetricRecord

_MOST_GROUPS: Final = 100_000
_Group = tuple[tuple[str, str], ...]

_FUNCTIONS: Final[dict[str, Callable[[Sequence[float]], float]]] = {
    "sum": math.fsum,
    "avg": lambda values: math.fsum(values) / len(values),
    "min": min,
    "max": max,
    "count": len,
    "last": lambda values: values[-1],
}


@dataclass(slots=True)
class _Gathered:
    """The values of one group in one window, in order of arrival; those of ``last`` by time."""

    unit: str
    values: list[float] = field(default_factory=list)
    latest_ms: int = -(2**63)


class Windows:
    """Windows of ``length_ms`` aligned to the epoch, closed when time is a window past their end.

    Time is the latest timestamp seen. What comes for a closed window is dropped.
    """

    def __init__(self, length_ms: int, function: str, by: frozenset[str]) -> None:
        self._length_ms = max(length_ms, 1)
        self._function = function
        self._by = by
        self._open: dict[int, dict[_Group, _Gathered]] = {}
        self._closed_until_ms = -(2**63)

    def add(self, record: MetricRecord) -> list[MetricRecord]:
        """Put a sample into its window; return the samples of windows that close by it."""
        start_ms = record.timestamp_ms // self._length_ms * self._length_ms
        if start_ms < self._closed_until_ms:
            return []
        group = self._group(record)
        groups = self._open.setdefault(start_ms, {})
        gathered = groups.get(group)
        if gathered is None:
            if len(groups) >= _MOST_GROUPS:
                return []
            gathered = groups[group] = _Gathered(record.unit)
        self._gather(gathered, record)
        return list(self._close_before(start_ms - self._length_ms))

    def close(self) -> list[MetricRecord]:
        """Close all windows and return their samples, the oldest first."""
        return list(self._close_before(2**63))

    def _gather(self, gathered: _Gathered, record: MetricRecord) -> None:
        if self._function != "last":
            gathered.values.append(record.value)
        elif record.timestamp_ms >= gathered.latest_ms:
            gathered.values = [record.value]
            gathered.latest_ms = record.timestamp_ms

    def _group(self, record: MetricRecord) -> _Group:
        kept = (
            (label, value)
            for label, value in record.labels.items()
            if not self._by or label in self._by or label == "__name__"
        )
        return tuple(sorted(kept))

    def _close_before(self, limit_ms: int) -> Iterator[MetricRecord]:
        for start_ms in sorted(start for start in self._open if start < limit_ms):
            end_ms = start_ms + self._length_ms
            self._closed_until_ms = max(self._closed_until_ms, end_ms)
            for group, gathered in sorted(self._open.pop(start_ms).items()):
                yield MetricRecord(
                    labels=dict(group),
                    timestamp_ms=end_ms,
                    value=float(_FUNCTIONS[self._function](gathered.values)),
                    unit=gathered.unit,
                )
