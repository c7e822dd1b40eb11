"""Raw samples of Prometheus' HTTP API."""

from collections.abc import Iterator, Mapping
from typing import Any

from detectviz.contracts.batches import Batch
from detectviz.contracts.config import get_texts
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

_TOO_MUCH = ("too many samples", "query processing would load")


class PrometheusImporter:
    """Asks for ``selector[window]``, which answers samples as they are stored."""

    signals = frozenset({Signal.METRICS})

    def read(self, context: ImporterContext) -> Iterator[Batch]:
        """Yield the samples after those stored; raise PluginError for what cannot be read."""
        endpoint = HttpEndpoint(context, name="Prometheus")
        selectors = get_texts(context.config, "selectors")

        def fetch(span: Span) -> list[Entry]:
            found = {
                (entry.key, entry.at): entry
                for selector in selectors
                for entry in _entries(endpoint, selector, span)
            }
            return list(found.values())

        yield from part_batches(
            window_parts(
                span_ms(context.config, now=context.now()),
                width=width_ms(context.config),
                cursor=context.cursor,
                fetch=fetch,
            ),
            batch_size=context.batch_size,
            is_cancelled=context.is_cancelled,
        )


def _entries(endpoint: HttpEndpoint, selector: str, span: Span) -> Iterator[Entry]:
    # Whether a range takes in the sample at its beginning depends on the server's version: one
    # millisecond more is asked for, and what lies outside is left out.
    query = f"{selector}[{span.end - span.start}ms]"
    at = [("query", query), ("time", f"{(span.end - 1) / 1000:.3f}")]
    for series in _series(endpoint, at):
        try:
            labels = {str(name): str(value) for name, value in series["metric"].items()}
            samples = [
                (round(float(time) * 1000), float(value)) for time, value in series["values"]
            ]
        except (KeyError, TypeError, ValueError, AttributeError):
            if "histograms" in series:
                continue
            raise endpoint.unexpected("its answer has another shape") from None
        key = str(sorted(labels.items()))
        for time_ms, value in samples:
            if span.start <= time_ms < span.end:
                record = MetricRecord(labels=labels, timestamp_ms=time_ms, value=value)
                yield Entry(key=key, at=time_ms, record=record)


def _series(endpoint: HttpEndpoint, parameters: list[tuple[str, str]]) -> list[Any]:
    try:
        answer: Any = endpoint.get_json("api/v1/query", parameters)
    except AnswerTooLargeError:
        raise WindowTooLargeError from None
    except PluginError as error:
        if any(words in error.message for words in _TOO_MUCH):
            raise WindowTooLargeError from None
        raise
    data = answer.get("data") if isinstance(answer, Mapping) else None
    found = data.get("result") if isinstance(data, Mapping) else None
    if not isinstance(found, list) or not all(isinstance(each, Mapping) for each in found):
        raise endpoint.unexpected("its answer has another shape")
    return found
