"""Log lines of Loki's ``query_range``."""

from collections.abc import Iterator, Mapping
from typing import Any

from detectviz.contracts.batches import Batch
from detectviz.contracts.config import get_int, get_text
from detectviz.contracts.http_endpoint import AnswerTooLargeError, HttpEndpoint
from detectviz.contracts.importer import ImporterContext
from detectviz.contracts.record_batches import part_batches
from detectviz.contracts.records import LogRecord, Signal
from detectviz.contracts.time_windows import (
    Entry,
    Span,
    WindowTooLargeError,
    span_ms,
    width_ms,
    window_parts,
)

_NS = 1_000_000
_LEVELS = ("level", "detected_level", "severity")


class LokiImporter:
    """Asks window by window, forward."""

    signals = frozenset({Signal.LOGS})

    def read(self, context: ImporterContext) -> Iterator[Batch]:
        """Yield the lines after those stored; raise PluginError for what cannot be read."""
        endpoint = HttpEndpoint(context, name="Loki")
        limit = get_int(context.config, "limit", 5_000)
        query = get_text(context.config, "query")
        span = span_ms(context.config, now=context.now())

        def fetch(window: Span) -> list[Entry]:
            entries = list(_entries(endpoint, query, window, limit))
            if len(entries) >= limit:
                raise WindowTooLargeError
            return entries

        yield from part_batches(
            window_parts(
                Span(start=span.start * _NS, end=span.end * _NS),
                width=width_ms(context.config) * _NS,
                cursor=context.cursor,
                fetch=fetch,
            ),
            batch_size=context.batch_size,
            is_cancelled=context.is_cancelled,
        )


def _entries(endpoint: HttpEndpoint, query: str, span: Span, limit: int) -> Iterator[Entry]:
    parameters = {
        "query": query, "start": span.start, "end": span.end, "limit": limit, "direction": "forward"
    }  # fmt: skip
    pairs = [(name, str(value)) for name, value in parameters.items()]
    try:
        answer = endpoint.get_json("loki/api/v1/query_range", pairs)
    except AnswerTooLargeError:
        raise WindowTooLargeError from None
    for stream in _streams(endpoint, answer):
        labels, values = stream.get("stream"), stream.get("values")
        if not isinstance(labels, Mapping) or not isinstance(values, list):
            raise endpoint.unexpected("its answer has another shape")
        texts = {name: str(value) for name, value in labels.items()}
        for value in values:
            try:
                at, body, *more = value
                yield Entry(
                    key=str(sorted(texts.items())),
                    at=int(at),
                    record=_line(texts, int(at), str(body), more),
                )
            except (TypeError, ValueError):
                raise endpoint.unexpected("its answer has another shape") from None


def _line(labels: dict[str, str], at_ns: int, body: str, more: list[Any]) -> LogRecord:
    attributes = more[0] if more and isinstance(more[0], Mapping) else {}
    said = {**{name: str(value) for name, value in attributes.items()}, **labels}
    severity = next((said[name] for name in _LEVELS if said.get(name)), "")
    return LogRecord(
        timestamp_ms=at_ns // _NS,
        body=body,
        severity=severity.lower(),
        labels=labels,
        attributes=attributes,
    )


def _streams(endpoint: HttpEndpoint, answer: Any) -> list[Any]:
    data = answer.get("data") if isinstance(answer, Mapping) else None
    if isinstance(data, Mapping) and data.get("resultType") == "streams":
        found = data.get("result")
        if isinstance(found, list) and all(isinstance(each, Mapping) for each in found):
            return found
    raise endpoint.unexpected("its answer has no streams, as a log query has")
