"""Batches of records, and what became of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from detectviz.contracts.records import Record, RecordError
from detectviz.contracts.types import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Some records in order. ``total`` is how many the run will read in all, if that is known.

    With ``cursor`` the run can go on after this batch; ``errors`` are records left out of it.
    """

    records: Sequence[Record]
    cursor: JsonObject
    total: int | None = None
    errors: tuple[RecordError, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteReport:
    """What became of a batch: ``written`` records, and those refused for good."""

    written: int
    errors: tuple[RecordError, ...] = ()
