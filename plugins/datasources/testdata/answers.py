"""Frames of made-up values, within the limits of the call."""

import random
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from detectviz.contracts.answers import AnswerBudget
from detectviz.contracts.datasource import DataQuery, DatasourceContext
from detectviz.contracts.frames import Field, FieldType, Frame
from detectviz.contracts.types import JsonValue, Labels

_LEVELS: Final = ("info", "info", "info", "warning", "error")
_COLUMNS: Final = (
    ("time", FieldType.TIME),
    ("value", FieldType.NUMBER),
    ("min", FieldType.NUMBER),
    ("max", FieldType.NUMBER),
    ("info", FieldType.STRING),
)


class Walk:
    """A random walk that is the same for the same seed."""

    def __init__(self, seed: str, *, start: float, spread: float) -> None:
        self._random = random.Random(seed)  # noqa: S311 - test data guards nothing
        self._spread = spread
        self._value = start

    def step(self) -> float:
        """Return the next value."""
        self._value += self._random.uniform(-self._spread, self._spread)
        return self._value

    def step_at(self, time_ms: int) -> float:
        """Return the next value, whatever the time."""
        return self.step()

    def choose(self, choices: Sequence[str]) -> str:
        """Return one of ``choices``."""
        return self._random.choice(choices)


class Answer:
    """The frames of one answer while they are made."""

    def __init__(self, query: DataQuery, context: DatasourceContext) -> None:
        self._query = query
        self._is_cancelled = context.is_cancelled
        self._budget = AnswerBudget(max_rows=context.max_rows, max_bytes=context.max_bytes)
        self._frames: list[Frame] = []

    @property
    def frames(self) -> Sequence[Frame]:
        """What has been made; the first frame says where it was cut."""
        if not self._frames or not self._budget.notices:
            return self._frames
        first = self._frames[0]
        told = Frame(
            fields=first.fields, shape=first.shape, name=first.name, notices=self._budget.notices
        )
        return [told, *self._frames[1:]]

    def add_series(self, name: str, labels: Labels, value: Callable[[int], float]) -> None:
        """Add a series with a point at each interval of the range."""
        times = range(
            self._query.range.start_ms,
            self._query.range.end_ms + 1,
            max(self._query.interval_ms, 1),
        )
        self.add_points(name, labels, ((time_ms, value(time_ms)) for time_ms in times))

    def add_points(
        self, name: str, labels: Labels, points: Iterable[tuple[int, float | None]]
    ) -> None:
        """Add a series of ``points``, unless the answer is full already."""
        if self._budget.is_cut:
            return
        columns = [("time", FieldType.TIME), (name, FieldType.NUMBER)]
        fields = self._read(columns, points)
        labelled = Field(
            name=name, type=FieldType.NUMBER, values=fields[1].values, labels=dict(labels)
        )
        self._frames.append(Frame(fields=(fields[0], labelled), shape="time-series", name=name))

    def add_table(
        self, columns: Sequence[tuple[str, FieldType]], rows: Iterable[Sequence[JsonValue]]
    ) -> None:
        """Add a table."""
        self._frames.append(Frame(fields=self._read(columns, rows)))

    def add_walk_table(self, walk: Walk, lines: int) -> None:
        """Add a table of a walk over the range."""
        rows = (
            (time_ms, value := walk.step(), value - 1, value + 1, walk.choose(("up", "down")))
            for time_ms in self._times(lines)
        )
        self.add_table(_COLUMNS, rows)

    def add_logs(self, walk: Walk, lines: int) -> None:
        """Add log lines spread over the range."""
        rows = (
            (time_ms, f"request {number} took {abs(walk.step()):.1f} ms", walk.choose(_LEVELS))
            for number, time_ms in enumerate(self._times(lines))
        )
        columns = [("time", FieldType.TIME), ("body", FieldType.STRING)]
        fields = self._read([*columns, ("severity", FieldType.STRING)], rows)
        self._frames.append(Frame(fields=fields, shape="logs"))

    def _times(self, count: int) -> Iterable[int]:
        span_ms = self._query.range.end_ms - self._query.range.start_ms
        return (self._query.range.start_ms + span_ms * n // max(count, 1) for n in range(count))

    def _read(
        self, columns: Sequence[tuple[str, FieldType]], rows: Iterable[Sequence[JsonValue]]
    ) -> tuple[Field, ...]:
        kept: list[Sequence[JsonValue]] = []
        for row in rows:
            if self._is_cancelled() or not self._budget.take(row):
                break
            kept.append(row)
        return tuple(
            Field(name=name, type=kind, values=[row[place] for row in kept])
            for place, (name, kind) in enumerate(columns)
        )
