"""Series of an answer as frames, one each, within the limits of the call."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from detectviz.contracts.answers import AnswerBudget
from detectviz.contracts.datasource import DatasourceContext
from detectviz.contracts.frames import Field, FieldType, Frame, Notice
from detectviz.contracts.types import JsonValue, Labels

METRIC: Final = "__name__"
TIME: Final = "Time"
VALUE: Final = "Value"
_MILLISECOND_S: Final = 0.001
_PLACE: Final = re.compile(r"\{\{\s*([^{}\s]+)\s*\}\}")  # noqa: TID251 - our own constant


class PointFrames:
    """The frames of one answer while its series are read; the first one tells what was cut."""

    def __init__(self, context: DatasourceContext, executed_query: str = "") -> None:
        self._budget = AnswerBudget(max_rows=context.max_rows, max_bytes=context.max_bytes)
        self._query = executed_query
        self._frames: list[Frame] = []
        self._numbers: list[Field] = []

    @property
    def is_full(self) -> bool:
        """Whether nothing more can be added."""
        return self._budget.is_cut

    def add_series(
        self,
        labels: Labels,
        times: Sequence[int],
        values: Sequence[JsonValue],
        *,
        name: str = "",
        unit: str = "",
    ) -> None:
        """Add one series, its points in order of time; ``__name__`` is its name unless given."""
        fit = self._budget.take_many([times, values])
        if not fit and times:
            return
        fields = (
            Field(name=TIME, type=FieldType.TIME, values=times[:fit]),
            _number(labels, values[:fit], name, unit),
        )
        self._frames.append(
            Frame(
                fields=fields,
                shape="time-series",
                name=fields[1].name if fields[1].name != VALUE else "",
                executed_query=self._query,
            )
        )

    def add_number(self, labels: Labels, value: JsonValue, *, name: str = "") -> None:
        """Add one number: all of them become one ``numeric`` frame."""
        if self._budget.take([value]):
            self._numbers.append(_number(labels, [value], name, ""))

    def frames(self, notices: Sequence[Notice] = ()) -> list[Frame]:
        """Return the frames, an empty one where there is nothing, with ``notices`` on the first."""
        made = list(self._frames)
        if self._numbers:
            made.append(
                Frame(
                    fields=tuple(distinct(self._numbers)),
                    shape="numeric",
                    executed_query=self._query,
                )
            )
        if not made:
            made = [Frame(fields=(), shape="time-series", executed_query=self._query)]
        told = (*notices, *self._budget.notices)
        return [replace(made[0], notices=told), *made[1:]] if told else made


def distinct(fields: Sequence[Field]) -> list[Field]:
    """Return fields of which no two have name and labels in common: later ones are numbered."""
    seen: set[tuple[str, frozenset[tuple[str, str]]]] = set()
    kept: list[Field] = []
    for field in fields:
        name, number = field.name, 1
        while (name, frozenset(field.labels.items())) in seen:
            number += 1
            name = f"{field.name} {number}"
        seen.add((name, frozenset(field.labels.items())))
        kept.append(replace(field, name=name))
    return kept


def moment(time_ms: float | None) -> datetime | None:
    """Return Unix milliseconds as a point in time; None where it lies beyond what can be told."""
    if time_ms is None:
        return None
    try:
        return datetime.fromtimestamp(time_ms * _MILLISECOND_S, UTC)
    except (OverflowError, OSError, ValueError):
        return None


def legend_of(legend: str, labels: Labels) -> str:
    """Return the name of a series: each ``{{label}}`` of the legend filled in."""
    return _PLACE.sub(lambda found: labels.get(found[1], ""), legend)


def text_labels(value: JsonValue) -> dict[str, str]:
    """Return an object as labels; empty for what is no object."""
    if not isinstance(value, Mapping):
        return {}
    return {str(name): str(each) for name, each in value.items()}


def _number(labels: Labels, values: Sequence[JsonValue], name: str, unit: str) -> Field:
    return Field(
        name=name or labels.get(METRIC) or VALUE,
        type=FieldType.NUMBER,
        values=values,
        labels={key: value for key, value in labels.items() if key != METRIC},
        unit=unit,
    )
