"""Batches out of whatever an importer reads piece by piece, each with its own cursor."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from detectviz.contracts.batches import Batch
from detectviz.contracts.records import Record, RecordError
from detectviz.contracts.row_records import Row, RowError, RowReader
from detectviz.contracts.types import JsonObject

_SAMPLE_CHARACTERS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The records of one row, sample or line, and the cursor to go on after it."""

    records: Sequence[Record]
    cursor: JsonObject
    errors: tuple[RecordError, ...] = ()


def row_part(row: Row, mapping: RowReader, *, place: str, cursor: JsonObject) -> Part:
    """Return the records of a row; one that does not fit is the part's error."""
    try:
        return Part(records=list(mapping.records(row)), cursor=cursor)
    except RowError as error:
        sample = str(dict(row))[:_SAMPLE_CHARACTERS]
        wrong = RecordError(place=place, message=str(error), sample=sample)
        return Part(records=(), cursor=cursor, errors=(wrong,))


def part_batches(
    parts: Iterable[Part],
    *,
    batch_size: int,
    is_cancelled: Callable[[], bool],
    total: int | None = None,
) -> Iterator[Batch]:
    """Yield the records of ``parts`` in batches; a part is never divided.

    ``total`` counts records and errors of the whole run.
    """
    records: list[Record] = []
    errors: list[RecordError] = []
    cursor: JsonObject = {}
    for part in parts:
        records += part.records
        errors += part.errors
        cursor = part.cursor
        if len(records) + len(errors) >= batch_size:
            yield Batch(records=records, cursor=cursor, total=total, errors=tuple(errors))
            if is_cancelled():
                return
            records, errors = [], []
    if records or errors:
        yield Batch(records=records, cursor=cursor, total=total, errors=tuple(errors))
