"""What several visualizers read of frames: series with their names, and one value of each."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from detectviz.contracts.frames import Field, FieldType, Frame

Pick = Literal["last", "mean", "min", "max", "sum"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The numbers of one field; ``times_ms`` is empty where the frame has no time field."""

    label: str
    unit: str
    times_ms: Sequence[int]
    values: Sequence[float | None]


def readings_of(frames: Sequence[Frame]) -> Iterator[Reading]:
    """Yield the number fields of ``frames`` in their order, NaN and infinities as None."""
    for frame in frames:
        clock = next((each for each in frame.fields if each.type is FieldType.TIME), None)
        times = [int(at) for at in clock.values if isinstance(at, (int, float))] if clock else []
        for each in frame.fields:
            if each.type is FieldType.NUMBER:
                yield Reading(
                    label=label_of(each, frame),
                    unit=each.unit,
                    times_ms=times,
                    values=[number_of(value) for value in each.values],
                )


def number_of(value: object) -> float | None:
    """Return a finite number, None for everything else."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        number = float(value)  # type: ignore[arg-type] # numpy's numbers are none of float's protocol
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def label_of(each: Field, frame: Frame) -> str:
    """Return what tells a field from the others: its labels, else its name or the frame's."""
    shown = {name: text for name, text in each.labels.items() if name != "__name__"}
    if shown:
        return ", ".join(f"{name}={text}" for name, text in sorted(shown.items()))
    return each.labels.get("__name__") or frame.name or each.name or frame.ref_id


def pick(values: Sequence[float | None], how: str) -> float | None:
    """Return the value that stands for a series, None where there is none."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    if how == "mean":
        return fmean(known)
    return {"last": known[-1], "min": min(known), "max": max(known), "sum": sum(known)}[how]
