"""What expressions compute with: scalars, labelled numbers, labelled series, and no data.

Grafana tells null from NaN everywhere, so every value has a mask beside its floats.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from detectviz.contracts.frames import Notice
from detectviz.contracts.types import JsonObject, Labels

Floats: TypeAlias = npt.NDArray[np.float64]
Mask: TypeAlias = npt.NDArray[np.bool_]
Times: TypeAlias = npt.NDArray[np.int64]

_NO_TIMES: Times = np.empty(0, dtype=np.int64)


class ValueKind(StrEnum):
    """The four kinds of values."""

    SCALAR = "scalar"
    NUMBER = "number"
    SERIES = "series"
    NO_DATA = "no_data"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Value:
    """One value. ``floats`` and ``nulls`` have one element for numbers, one per time for series.

    Where ``nulls`` is true, what ``floats`` says means nothing.
    """

    kind: ValueKind
    floats: Floats
    nulls: Mask
    labels: Labels = field(default_factory=dict)
    times: Times = field(default_factory=lambda: _NO_TIMES)
    name: str = ""
    notices: tuple[Notice, ...] = ()
    meta: JsonObject = field(default_factory=dict)

    @property
    def is_series(self) -> bool:
        """Tell whether it has times."""
        return self.kind is ValueKind.SERIES

    @property
    def is_no_data(self) -> bool:
        """Tell whether there is nothing."""
        return self.kind is ValueKind.NO_DATA

    def one(self) -> float | None:
        """Return the float of a scalar or number; None is null."""
        return None if self.nulls[0] else float(self.floats[0])

    def points(self) -> list[float | None]:
        """Return floats with None for null."""
        return [
            None if null else float(each)
            for each, null in zip(self.floats.tolist(), self.nulls.tolist(), strict=True)
        ]


Values: TypeAlias = tuple[Value, ...]


def array_of(values: Sequence[float | None]) -> tuple[Floats, Mask]:
    """Split values into floats and the mask of nulls."""
    if isinstance(values, np.ndarray):
        floats = values.astype(np.float64)
        return floats, np.zeros(len(floats), dtype=np.bool_)
    nulls = np.fromiter((each is None for each in values), dtype=np.bool_, count=len(values))
    floats = np.fromiter(
        (0.0 if each is None else each for each in values), dtype=np.float64, count=len(values)
    )
    return floats, nulls


def scalar(value: float | None) -> Value:
    """Return a scalar."""
    floats, nulls = array_of([value])
    return Value(kind=ValueKind.SCALAR, floats=floats, nulls=nulls)


def number(
    value: float | None,
    labels: Labels | None = None,
    *,
    notices: tuple[Notice, ...] = (),
    meta: JsonObject | None = None,
    name: str = "",
) -> Value:
    """Return a number with labels."""
    floats, nulls = array_of([value])
    return Value(
        kind=ValueKind.NUMBER,
        floats=floats,
        nulls=nulls,
        labels=labels or {},
        notices=notices,
        meta=meta or {},
        name=name,
    )


def series(
    times: Sequence[int] | Times,
    values: Sequence[float | None],
    labels: Labels | None = None,
    *,
    name: str = "",
) -> Value:
    """Return a series with labels; times are Unix milliseconds."""
    floats, nulls = array_of(values)
    return Value(
        kind=ValueKind.SERIES,
        floats=floats,
        nulls=nulls,
        labels=labels or {},
        times=np.asarray(times, dtype=np.int64),
        name=name,
    )


def no_data() -> Value:
    """Return the value that says there is none."""
    floats, nulls = array_of([None])
    return Value(kind=ValueKind.NO_DATA, floats=floats, nulls=nulls)
