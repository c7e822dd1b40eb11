"""Points of InfluxDB as samples, by InfluxQL."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from detectviz.contracts.batches import Batch
from detectviz.contracts.config import get_text, get_texts
from detectviz.contracts.errors import PluginError
from detectviz.contracts.http_endpoint import AnswerTooLargeError, HttpEndpoint
from detectviz.contracts.importer import ImporterContext
from detectviz.contracts.record_batches import part_batches
from detectviz.contracts.records import MetricRecord, Signal
from detectviz.contracts.time_windows import (
    Entry,
    Span,
    WindowTooLargeError,
    span_ms,
    width_ms,
    window_parts,
)
from detectviz.contracts.types import JsonObject, JsonValue

_NS: Final = 1_000_000
_MOST_POINTS: Final = 100_000
_VALUE: Final = "value"


class InfluxdbImporter:
    """Asks for all fields of a measurement, window by window and series by series."""

    signals = frozenset({Signal.METRICS})

    def read(self, context: ImporterContext) -> Iterator[Batch]:
        """Yield the samples after those stored; raise PluginError for what cannot be read."""
        server = _Server(context)
        names = get_texts(context.config, "measurements") or server.measurements()
        span = span_ms(context.config, now=context.now())
        parts = window_parts(
            Span(start=span.start * _NS, end=span.end * _NS),
            width=width_ms(context.config) * _NS,
            cursor=context.cursor,
            fetch=lambda window: [
                entry for name in names for entry in server.entries(name, window)
            ],
        )
        yield from part_batches(
            parts, batch_size=context.batch_size, is_cancelled=context.is_cancelled
        )


class _Server:
    """One database of a server."""

    def __init__(self, context: ImporterContext) -> None:
        self._endpoint = HttpEndpoint(context, name="InfluxDB")
        self._database = get_text(context.config, "database")
        self._policy = get_text(context.config, "retention_policy")

    def measurements(self) -> tuple[str, ...]:
        """Return the names of all measurements."""
        return tuple(str(row[0]) for _, _, rows in self._ask("SHOW MEASUREMENTS") for row in rows)

    def entries(self, measurement: str, span: Span) -> Iterator[Entry]:
        """Yield the samples of a window; raise WindowTooLargeError."""
        policy = f"{_quoted(self._policy)}." if self._policy else ""
        statement = (
            f"SELECT * FROM {policy}{_quoted(measurement)} "  # noqa: S608 - quoted names
            f"WHERE time >= {span.start} AND time < {span.end} GROUP BY *"
        )
        try:
            found = self._ask(statement)
        except AnswerTooLargeError:
            raise WindowTooLargeError from None
        if sum(len(rows) for _, _, rows in found) > _MOST_POINTS:
            raise WindowTooLargeError
        for tags, columns, rows in found:
            labels = {name: str(value) for name, value in tags.items() if value}
            for row in rows:
                yield from _samples(measurement, labels, dict(zip(columns, row, strict=True)))

    def _ask(
        self, statement: str
    ) -> list[tuple[JsonObject, Sequence[str], Sequence[Sequence[JsonValue]]]]:
        """Return (tags, columns, rows) of each series of an answer."""
        parameters = [("db", self._database), ("epoch", "ns"), ("q", statement)]
        answer: Any = self._endpoint.get_json("query", parameters)
        try:
            (result,) = answer["results"]
            if "error" in result:
                raise PluginError(f"InfluxDB refuses: {result['error']}", permanent=True)
            return [
                (series.get("tags") or {}, list(series["columns"]), list(series.get("values", ())))
                for series in result.get("series", ())
            ]
        except (KeyError, TypeError, ValueError, AttributeError):
            raise self._endpoint.unexpected("its answer has another shape") from None


def _samples(
    measurement: str, labels: Mapping[str, str], point: Mapping[str, JsonValue]
) -> Iterator[Entry]:
    at_ns = point.get("time")
    if not isinstance(at_ns, int):
        return
    for field, value in point.items():
        if field != "time" and isinstance(value, (int, float)):
            name = measurement if field == _VALUE else f"{measurement}_{field}"
            told = {"__name__": name, **labels}
            record = MetricRecord(labels=told, timestamp_ms=at_ns // _NS, value=float(value))
            yield Entry(key=str(sorted(told.items())), at=at_ns, record=record)


def _quoted(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
