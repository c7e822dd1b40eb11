"""Bounds of one answer: rows and bytes beyond them are left out, and a notice says so."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from detectviz.contracts.frames import Field, FieldType, Frame, Notice

_SAMPLE_ROWS = 200
_BYTES = {FieldType.TIME: 14, FieldType.NUMBER: 18, FieldType.BOOLEAN: 6}
_MOST_FRAMES = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """What one query may answer at most; bytes are those of JSON, estimated."""

    rows: int
    bytes: int
    frames: int = _MOST_FRAMES


def capped(frames: Sequence[Frame], caps: Caps) -> list[Frame]:
    """Return frames that keep within the caps; the last one kept tells what is missing."""
    kept: list[Frame] = []
    rows_left, bytes_left = caps.rows, caps.bytes
    for place, frame in enumerate(frames):
        if place >= caps.frames:
            return _with_notice(kept, f"only the first {caps.frames:,} of {len(frames):,} frames")
        width = _row_bytes(frame)
        rows = min(frame.rows, rows_left, int(bytes_left / width) if width else frame.rows)
        if rows < frame.rows:
            limit = f"{caps.rows:,} rows" if rows == rows_left else f"{caps.bytes:,} bytes"
            text = f"the answer was cut at the limit of {limit}; narrow the query"
            if rows or not kept:
                kept.append(_cut(frame, rows))
            return _with_notice(kept, text)
        kept.append(frame)
        rows_left -= rows
        bytes_left -= int(rows * width)
    return kept


def _row_bytes(frame: Frame) -> float:
    return sum(_field_bytes(each) for each in frame.fields)


def _field_bytes(each: Field) -> float:
    fixed = _BYTES.get(each.type)
    if fixed is not None:
        return fixed
    count = len(each.values)
    if not count:
        return 0.0
    step = max(1, count // _SAMPLE_ROWS)
    sample = each.values[::step]
    return 3 + sum(len(str(value)) for value in sample) / len(sample)


def _cut(frame: Frame, rows: int) -> Frame:
    return replace(
        frame, fields=tuple(replace(each, values=each.values[:rows]) for each in frame.fields)
    )


def _with_notice(frames: list[Frame], text: str) -> list[Frame]:
    last = frames[-1]
    notice = Notice(severity="warning", text=text)
    return [*frames[:-1], replace(last, notices=(*last.notices, notice))]


def plain_values(each: Field) -> list[object]:
    """Return a field's values as Python's own."""
    values = each.values
    return values.tolist() if isinstance(values, np.ndarray) else list(values)
