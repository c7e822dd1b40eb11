"""Prometheus text, OpenMetrics and delimited protobuf that somebody pushes instead of exposing."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from detectviz.contracts.exposition.negotiation import (
    ScrapeProtocol,
    parse_exposition,
    protocol_of,
)
from detectviz.contracts.exposition.result import NO_TIMESTAMP, Exposition, ExpositionError
from detectviz.contracts.exposition.series import labels_of
from detectviz.ingest.batch import Batch, MetricFacts, PushedExemplar
from detectviz.ingest.errors import MalformedError
from detectviz.tsdb.columns import labels_of_pairs
from detectviz.tsdb.interface import METRIC_NAME, Int64Array, SampleColumns
from detectviz.tsdb.labels import label_key

PUSH_TIME = "push_time_seconds"
_NO_HISTOGRAM = np.full(1, None, dtype=np.object_)


def parse(data: bytes, *, content_type: str, now_ms: int) -> Batch:
    """Return the samples of an exposition; lines without a time are of now.

    Text is assumed where the content type names no format. Raise MalformedError, which names line
    and column: as with a scrape, a body is read whole or not at all.
    """
    found = _read(data, content_type)
    columns = SampleColumns(
        series=found.series,
        labels_of=labels_of,
        owners=found.owners,
        timestamps_ms=_times(found, now_ms),
        values=found.values,
        histograms=found.histograms,
        start_times_ms=found.start_times_ms,
    )
    return Batch(columns=columns, facts=tuple(_facts(found)), exemplars=tuple(_exemplars(found)))


def parse_group(data: bytes, *, content_type: str, group: Mapping[str, str], now_ms: int) -> Batch:
    """Return the samples of a pushed group, as a Pushgateway would: all are of now.

    The labels of ``group`` win over those in the body; ``push_time_seconds`` says when it was.
    Raise MalformedError, also when a line has a time of its own.
    """
    if METRIC_NAME in group:
        raise MalformedError(f"{METRIC_NAME} can't be a grouping label")
    batch = parse(data, content_type=content_type, now_ms=now_ms)
    if (batch.columns.timestamps_ms != now_ms).any():
        raise MalformedError("pushed metrics must not have times of their own")
    return _with_push_time(_grouped(batch, group), group, now_ms)


def _grouped(batch: Batch, group: Mapping[str, str]) -> Batch:
    tokens = {}
    for token in batch.columns.series:
        try:
            labels = labels_of(token)
        except ValueError as error:
            raise MalformedError(str(error)) from error
        tokens[token] = label_key({**labels, **group})
    series = [tokens[token] for token in batch.columns.series]
    places = {token: place for place, token in enumerate(dict.fromkeys(series))}
    numbers = np.array([places[token] for token in series], np.int64)
    columns = replace(
        batch.columns,
        series=tuple(places),
        labels_of=labels_of_pairs,
        owners=numbers[batch.columns.owners] if len(numbers) else batch.columns.owners,
    )
    exemplars = tuple(replace(one, series=tokens[one.series]) for one in batch.exemplars)
    return replace(batch, columns=columns, exemplars=exemplars)


def _with_push_time(batch: Batch, group: Mapping[str, str], now_ms: int) -> Batch:
    columns = batch.columns
    own = label_key({**group, METRIC_NAME: PUSH_TIME})
    series = [*columns.series, *([] if own in columns.series else [own])]
    histograms, starts = columns.histograms, columns.start_times_ms
    columns = replace(
        columns,
        series=series,
        owners=np.append(columns.owners, series.index(own)),
        timestamps_ms=np.append(columns.timestamps_ms, now_ms),
        values=np.append(columns.values, now_ms / 1000),
        histograms=None if histograms is None else np.concatenate([histograms, _NO_HISTOGRAM]),
        start_times_ms=None if starts is None else np.append(starts, 0),
    )
    return replace(batch, columns=columns)


def _read(data: bytes, content_type: str) -> Exposition:
    try:
        protocol = protocol_of(content_type, ScrapeProtocol.TEXT)
        return parse_exposition(data, protocol)
    except ExpositionError as error:
        raise MalformedError(str(error)) from error


def _times(found: Exposition, now_ms: int) -> Int64Array:
    if found.timestamps_ms is None:
        return np.full(len(found), now_ms, np.int64)
    return np.where(found.timestamps_ms == NO_TIMESTAMP, now_ms, found.timestamps_ms)


def _facts(found: Exposition) -> Iterator[MetricFacts]:
    for name, one in found.metadata.items():
        yield MetricFacts(name=name, type=one.type.value, help=one.help, unit=one.unit)


def _exemplars(found: Exposition) -> Iterator[PushedExemplar]:
    for place, exemplars in found.exemplars.items():
        for one in exemplars:
            yield PushedExemplar(
                series=found.series[int(found.owners[place])],
                labels=one.labels,
                value=one.value,
                timestamp_ms=one.timestamp_ms or 0,
            )
