"""The parts of a run, and what is counted of each."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from detectviz.contracts.batches import Batch, WriteReport
from detectviz.contracts.records import RECORD_TYPES, Record, Signal
from detectviz.contracts.types import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What reads: ``read(cursor)`` yields batches from there on."""

    name: str
    read: Callable[[JsonObject], Iterator[Batch]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What changes: ``process(records, is_last)`` returns what goes on."""

    name: str
    process: Callable[[Sequence[Record], bool], Sequence[Record]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sink:
    """What writes: ``write(records, batch_id)``. Records of other signals pass it by."""

    name: str
    signals: frozenset[Signal]
    write: Callable[[Sequence[Record], str], WriteReport]

    def taken(self, records: Sequence[Record]) -> Sequence[Record]:
        """Return those of ``records`` that are written here."""
        types = tuple(RECORD_TYPES[signal] for signal in self.signals)
        return [record for record in records if isinstance(record, types)]


@dataclass(slots=True, kw_only=True)
class StageCounters:
    """What a stage has done so far. ``waited_s`` is how long it waited for the next one's buffer.

    ``passed_by`` records are of signals that a sink does not take.
    """

    name: str
    records_in: int = 0
    records_out: int = 0
    failed: int = 0
    passed_by: int = 0
    retries: int = 0
    seconds: float = 0.0
    waited_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A batch on its way.

    ``number`` counts from 1, ``cursor`` is where reading it began; ``is_rest`` is what steps had
    gathered when all was read.
    """

    number: int
    records: Sequence[Record]
    cursor: JsonObject
    is_rest: bool = False

    def id_in(self, run: str) -> str:
        """Return the id of the batch: the same whenever ``run`` reads it again."""
        place = json.dumps([run, self.cursor, self.is_rest], sort_keys=True)
        return hashlib.sha256(place.encode()).hexdigest()[:32]
