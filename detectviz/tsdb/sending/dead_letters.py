"""Samples that the backend refused for good, in a small file of JSON lines."""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import orjson

from detectviz.tsdb.protobuf import MalformedError
from detectviz.tsdb.sending.lots import Lot, labels_of

logger = logging.getLogger(__name__)

_MOST_BYTES = 4 << 20


class DeadLetters:
    """Two files at most: when one is full it takes the place of the one before it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, tenant: str, reason: str, lots: Sequence[Lot]) -> int:
        """Write one line per sample; return how many. A disk that is full costs only the lines."""
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        lines = [
            orjson.dumps({"at": at, "tenant": tenant, "reason": reason, **sample})
            for lot in lots
            for sample in _samples(lot)
        ]
        logger.warning(
            "%d samples were refused by the backend for good: %s (see %s)",
            len(lines),
            reason,
            self._path,
        )
        try:
            self._write(b"\n".join([*lines, b""]))
        except OSError:
            logger.exception("%s can't be written", self._path)
        return len(lines)

    def _write(self, text: bytes) -> None:
        if self._path.exists() and self._path.stat().st_size + len(text) > _MOST_BYTES:
            self._path.replace(self._path.with_suffix(".1.jsonl"))
        with self._path.open("ab") as file:
            file.write(text[:_MOST_BYTES])


def _samples(lot: Lot) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    place = 0
    for encoded, count in zip(lot.labels, lot.counts.tolist(), strict=True):
        try:
            labels = dict(labels_of(encoded))
        except MalformedError:
            labels = {}
        for at in range(place, place + count):
            value = "histogram" if at in lot.histograms else repr(float(lot.values[at]))
            moment = int(lot.timestamps_ms[at])
            found.append({"labels": labels, "timestamp_ms": moment, "value": value})
        place += count
    return found
