"""The org's series as a datasource plugin reads them: contracts' SeriesQuerier."""

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Final, cast

import numpy as np
import numpy.typing as npt

from apps.series.selectors.charts import Tenant
from apps.series.selectors.queries import QueryOptions, query_instant, query_range
from apps.series.selectors.store import series_store
from detectviz.contracts.errors import PluginError, QueryError
from detectviz.contracts.frames import Field, FieldType, Frame, Notice
from detectviz.contracts.types import JsonValue
from detectviz.promql import nodes
from detectviz.promql.errors import (
    ParseError,
    PromqlError,
    QueryCancelledError,
    QueryTimeoutError,
    TooManyBytesError,
    TooManySamplesError,
    TooManySeriesError,
)
from detectviz.promql.json import value_text
from detectviz.promql.labels import Labels
from detectviz.promql.parser import parse
from detectviz.promql.results import Matrix, Result, Scalar, String, Vector
from detectviz.tsdb.interface import METRIC_NAME, Matcher, StoreError

TIME: Final = "Time"
VALUE: Final = "Value"
_TOO_MUCH: Final = (TooManyBytesError, TooManySamplesError, TooManySeriesError)


class OrgSeries:
    """One org's series; the tenant is fixed here and no argument can change it."""

    def __init__(self, org: Tenant, is_cancelled: Callable[[], bool]) -> None:
        self._tenant = org.uid
        self._is_cancelled = is_cancelled

    def instant(self, promql: str, *, time_ms: int, timeout_s: float) -> Frame:
        """Return one ``numeric`` frame: a number field with its labels for each series."""
        options = self._options(timeout_s)
        try:
            timed = query_instant(
                tenant=self._tenant, promql=promql, at_ms=time_ms, options=options
            )
        except (PromqlError, StoreError) as error:
            raise refusal(error) from error
        return Frame(
            fields=_instant_fields(timed.result),
            shape="numeric",
            executed_query=promql,
            notices=_notices(timed.result),
        )

    def range(
        self, promql: str, *, start_ms: int, end_ms: int, step_ms: int, timeout_s: float
    ) -> Sequence[Frame]:
        """Return one ``time-series`` frame for each series."""
        options = self._options(timeout_s)
        try:
            timed = query_range(
                tenant=self._tenant,
                promql=promql,
                start_ms=start_ms,
                end_ms=end_ms,
                step_ms=step_ms,
                options=options,
            )
        except (PromqlError, StoreError) as error:
            raise refusal(error) from error
        matrix = cast("Matrix", timed.result.value)
        notices = _notices(timed.result)
        frames = series_frames(matrix, promql, notices=notices)
        if not frames and notices:
            return [Frame(fields=(), shape="time-series", executed_query=promql, notices=notices)]
        return frames

    def label_names(self, matchers: Sequence[str], *, start_ms: int, end_ms: int) -> list[str]:
        """Return label names of the series that any of the selectors selects, sorted."""
        return self._united(
            series_store().label_names(self._tenant, selector, start_ms, end_ms)
            for selector in _selectors(matchers)
        )

    def label_values(
        self, name: str, matchers: Sequence[str], *, start_ms: int, end_ms: int
    ) -> list[str]:
        """Return the values of one label, sorted; ``__name__`` gives the metrics."""
        return self._united(
            series_store().label_values(self._tenant, name, selector, start_ms, end_ms)
            for selector in _selectors(matchers)
        )

    def _united(self, found: Iterable[Sequence[str]]) -> list[str]:
        try:
            return sorted({value for values in found for value in values})
        except StoreError as error:
            raise refusal(error) from error

    def _options(self, timeout_s: float) -> QueryOptions:
        return QueryOptions(timeout_s=timeout_s, gone=_Asked(self._is_cancelled))


class _Asked(threading.Event):
    """An event that is told by asking instead of being set."""

    def __init__(self, ask: Callable[[], bool]) -> None:
        super().__init__()
        self._ask = ask

    def is_set(self) -> bool:
        """Say whether nobody waits any more."""
        return self._ask()


def series_querier(org: Tenant, *, is_cancelled: Callable[[], bool]) -> OrgSeries:
    """Return the querier of one org; ``is_cancelled`` is looked at while a query runs."""
    return OrgSeries(org, is_cancelled)


def refusal(error: PromqlError | StoreError) -> PluginError:
    """Return the contracts' error that says what a query's failure means to who asked."""
    if isinstance(error, _TOO_MUCH):
        return QueryError(str(error), status=413)
    if isinstance(error, ParseError):
        return QueryError(str(error), status=400)
    if isinstance(error, (QueryTimeoutError, QueryCancelledError, StoreError)):
        return PluginError(str(error))
    return QueryError(str(error), status=422)


def _instant_fields(result: Result) -> tuple[Field, ...]:
    match result.value:
        case Scalar(value=value):
            return (Field(name=VALUE, type=FieldType.NUMBER, values=[value]),)
        case String(value=text):
            return (Field(name=VALUE, type=FieldType.STRING, values=[text]),)
        case Vector() as vector:
            return tuple(_sample(vector, row) for row in range(len(vector)))
        case Matrix():
            raise QueryError(
                "The expression gives ranges of samples; put it in a function such as rate()."
            )


def _sample(vector: Vector, row: int) -> Field:
    labels = vector.labels[row]
    histogram = None if vector.histograms is None else vector.histograms[row]
    if histogram is not None:
        summary = {"count": value_text(histogram.count), "sum": value_text(histogram.sum)}
        return _field(labels, FieldType.OTHER, [summary])
    return _field(labels, FieldType.NUMBER, [float(vector.values[row])])


def series_frames(
    matrix: Matrix, promql: str, *, notices: tuple[Notice, ...] = (), most: int | None = None
) -> list[Frame]:
    """Return one ``time-series`` frame for each series, the first ``most`` where given."""
    count = len(matrix) if most is None else min(len(matrix), most)
    return [_series_frame(matrix, row, promql, notices) for row in range(count)]


def _series_frame(matrix: Matrix, row: int, promql: str, notices: tuple[Notice, ...]) -> Frame:
    present: npt.NDArray[np.bool_] = np.asarray(matrix.present[row])
    times = matrix.timestamps_ms[present]
    values = matrix.values[row][present]
    return Frame(
        fields=(
            Field(name=TIME, type=FieldType.TIME, values=cast("Sequence[JsonValue]", times)),
            _field(matrix.labels[row], FieldType.NUMBER, cast("Sequence[JsonValue]", values)),
        ),
        shape="time-series",
        name=matrix.labels[row].get(METRIC_NAME, ""),
        executed_query=promql,
        notices=notices,
    )


def _field(labels: Labels, kind: FieldType, values: Sequence[JsonValue]) -> Field:
    return Field(
        name=labels.get(METRIC_NAME) or VALUE,
        type=kind,
        values=values,
        labels={name: value for name, value in labels.items() if name != METRIC_NAME},
    )


def _notices(result: Result) -> tuple[Notice, ...]:
    return (
        *(Notice(severity="warning", text=text) for text in result.warnings),
        *(Notice(severity="info", text=text) for text in result.infos),
    )


def _selectors(texts: Sequence[str]) -> list[Sequence[Matcher]]:
    """Read series selectors; none means all series."""
    if not texts:
        return [()]
    found: list[Sequence[Matcher]] = []
    for text in texts:
        try:
            expression = parse(text)
        except ParseError as error:
            raise refusal(error) from error
        if not isinstance(expression, nodes.VectorSelector):
            raise QueryError(f'{text} is no series selector, such as up{{job="web"}}.')
        found.append(expression.matchers)
    return found
