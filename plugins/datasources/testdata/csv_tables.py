"""Reading CSV text into typed columns."""

import csv
from collections.abc import Sequence
from io import StringIO

from detectviz.contracts.errors import QueryError
from detectviz.contracts.frames import FieldType
from detectviz.contracts.types import JsonValue

Columns = list[tuple[str, FieldType]]


def read_values(text: str) -> list[float | None]:
    """Return the numbers of a comma-separated list; ``null`` is None."""
    return [None if word.strip() == "null" else _number(word) for word in text.split(",")]


def read_table(text: str) -> tuple[Columns, list[list[JsonValue]]]:
    """Return the columns and rows of CSV text with a header.

    A column of numbers is number, one of true and false boolean, every other string; an empty
    cell is None.
    """
    rows = _rows(text)
    if not rows:
        raise QueryError("The content is empty; write a first line that names the columns.")
    names = _distinct(rows[0])
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(names):
            raise QueryError(
                f"Line {number} of the content has {len(row)} cells and the first {len(names)}."
            )
    columns = [_typed([row[place] for row in rows[1:]]) for place in range(len(names))]
    header = [(name, kind) for name, (kind, _) in zip(names, columns, strict=True)]
    return header, [list(row) for row in zip(*(values for _, values in columns), strict=True)]


def _rows(text: str) -> list[list[str]]:
    try:
        return [row for row in csv.reader(StringIO(text), strict=True) if row]
    except csv.Error as error:
        raise QueryError(f"The content is no CSV: {error}.") from error


def _distinct(names: Sequence[str]) -> list[str]:
    if len(set(names)) != len(names):
        raise QueryError("Two columns of the content have one name; rename one.")
    return list(names)


def _typed(cells: list[str]) -> tuple[FieldType, list[JsonValue]]:
    texts: list[JsonValue] = [cell.strip() or None for cell in cells]
    filled = [cell for cell in texts if isinstance(cell, str)]
    if filled and all(cell in {"true", "false"} for cell in filled):
        return FieldType.BOOLEAN, [None if cell is None else cell == "true" for cell in texts]
    try:
        numbers: list[JsonValue] = [None if cell is None else _number(str(cell)) for cell in texts]
    except QueryError:
        return FieldType.STRING, texts
    return (FieldType.NUMBER if filled else FieldType.STRING), numbers


def _number(word: str) -> float:
    try:
        return float(word)
    except ValueError as error:
        raise QueryError(f"{word.strip()!r} among the values is no number.") from error
