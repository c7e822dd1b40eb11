"""Counting one answer of a datasource against its limits."""

from collections.abc import Mapping, Sequence
from typing import Final

from detectviz.contracts.frames import Notice
from detectviz.contracts.types import JsonValue

_CELL_BYTES: Final = 8
_SCALARS: Final = frozenset({int, float, bool, type(None)})


class AnswerBudget:
    """What is left of ``max_rows`` and ``max_bytes`` while rows are read. One thread's.

    A text costs its bytes in UTF-8, every other value 8, nested values the sum of what they hold.
    """

    def __init__(self, *, max_rows: int, max_bytes: int) -> None:
        self._max_rows = max_rows
        self._max_bytes = max_bytes
        self.rows = 0
        self.bytes = 0
        self._cut = ""

    def take(self, row: Sequence[JsonValue]) -> bool:
        """Count ``row`` and return true, or return false where it no longer fits."""
        if self.rows >= self._max_rows:
            self._cut = f"{self._max_rows} rows"
            return False
        size = sum(map(cell_bytes, row))
        if self.bytes + size > self._max_bytes:
            self._cut = f"{self._max_bytes} bytes"
            return False
        self.rows += 1
        self.bytes += size
        return True

    def take_many(self, columns: Sequence[Sequence[JsonValue]]) -> int:
        """Count rows given as columns of one length; return how many of them fit."""
        count = len(columns[0]) if columns else 0
        size = sum(map(_column_bytes, columns))
        if self.rows + count <= self._max_rows and self.bytes + size <= self._max_bytes:
            self.rows += count
            self.bytes += size
            return count
        rows = zip(*columns, strict=True)
        return next((place for place, row in enumerate(rows) if not self.take(row)), count)

    @property
    def is_cut(self) -> bool:
        """Whether a row has been refused."""
        return bool(self._cut)

    @property
    def notices(self) -> tuple[Notice, ...]:
        """A warning once a row has been refused, for the frames of the answer."""
        if not self._cut:
            return ()
        text = f"The answer is cut after {self._cut}, the most one query may return; ask for less."
        return (Notice(severity="warning", text=text),)


def cell_bytes(value: JsonValue) -> int:
    """Return about how many bytes ``value`` takes."""
    if isinstance(value, str):
        # Counting the bytes of a long ASCII text needs no copy of it.
        return len(value) if value.isascii() else len(value.encode("utf-8", "replace"))
    if isinstance(value, Mapping):
        return sum(len(key) + cell_bytes(inner) for key, inner in value.items())
    if isinstance(value, Sequence):
        return sum(map(cell_bytes, value))
    return _CELL_BYTES


def _column_bytes(values: Sequence[JsonValue]) -> int:
    kinds = set(map(type, values))
    if kinds <= _SCALARS:
        return _CELL_BYTES * len(values)
    return sum(map(cell_bytes, values))
