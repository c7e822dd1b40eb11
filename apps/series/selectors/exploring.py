"""Answers for people who look around: lines to draw, rows to read, and what there is to ask for."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from apps.series.selectors.charts import Tenant
from apps.series.selectors.querier import series_frames
from apps.series.selectors.queries import Timed, query_instant, query_range
from apps.series.selectors.store import series_store
from detectviz.clock import to_ms
from detectviz.contracts.frames import Frame
from detectviz.promql.errors import PromqlError
from detectviz.promql.json import value_text
from detectviz.promql.results import Matrix, Result, Scalar, String, Vector
from detectviz.tsdb.histograms import Histogram
from detectviz.tsdb.interface import METRIC_NAME, Matcher, MatchOp, StoreError

LINES_SHOWN = 50
ROWS_SHOWN = 500
FRAMES_SHOWN = 500
SERIES_COUNTED = 20_000
VALUES_SHOWN = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The stretch of time looked at: ``range_ms`` up to ``end``, a point every ``step_ms``."""

    end: datetime
    range_ms: int
    step_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One series over the steps of the window; None where it has no number."""

    labels: Mapping[str, str]
    values: tuple[float | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One series at the end of the window, its value in words."""

    labels: Mapping[str, str]
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Explored:
    """What one expression came to: lines, rows or frames, or a ``problem`` that says why not.

    ``total`` counts the series found, of which the first are given. ``times_s`` are the steps in
    Unix seconds.
    """

    expression: str
    problem: str = ""
    times_s: tuple[float, ...] = ()
    lines: tuple[Line, ...] = ()
    cells: tuple[Cell, ...] = ()
    frames: tuple[Frame, ...] = ()
    total: int = 0
    warnings: tuple[str, ...] = ()
    infos: tuple[str, ...] = ()
    took_ms: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelUse:
    """A label of some series: how many values it has, and the most frequent with their counts."""

    name: str
    distinct: int
    values: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricUse:
    """What a selection of one metric's series consists of. ``is_partial``: not all were counted."""

    total: int
    labels: tuple[LabelUse, ...]
    is_partial: bool


def explore_lines(org: Tenant, expression: str, window: Window) -> Explored:
    """Evaluate over the window; a problem becomes part of the answer."""
    try:
        timed = _over(org, expression, window)
    except (PromqlError, StoreError) as error:
        return Explored(expression=expression, problem=str(error))
    matrix = timed.result.value
    assert isinstance(matrix, Matrix)
    return Explored(
        expression=expression,
        times_s=tuple((matrix.timestamps_ms / 1000).tolist()),
        lines=tuple(_line(matrix, row) for row in range(min(len(matrix), LINES_SHOWN))),
        total=len(matrix),
        warnings=timed.result.warnings,
        infos=timed.result.infos,
        took_ms=timed.took_s * 1000,
    )


def explore_frames(org: Tenant, expression: str, window: Window, ref_id: str) -> Explored:
    """Evaluate over the window, for visualizers; a problem becomes part of the answer."""
    try:
        timed = _over(org, expression, window)
    except (PromqlError, StoreError) as error:
        return Explored(expression=expression, problem=str(error))
    matrix = timed.result.value
    assert isinstance(matrix, Matrix)
    frames = series_frames(matrix, expression, most=FRAMES_SHOWN)
    return Explored(
        expression=expression,
        frames=tuple(replace(frame, ref_id=ref_id) for frame in frames),
        total=len(matrix),
        warnings=timed.result.warnings,
        infos=timed.result.infos,
        took_ms=timed.took_s * 1000,
    )


def explore_cells(org: Tenant, expression: str, window: Window) -> Explored:
    """Evaluate at the end of the window; a problem becomes part of the answer."""
    try:
        timed = query_instant(tenant=org.uid, promql=expression, at_ms=to_ms(window.end))
    except (PromqlError, StoreError) as error:
        return Explored(expression=expression, problem=str(error))
    cells, total = _cells(timed.result)
    return Explored(
        expression=expression,
        cells=cells,
        total=total,
        warnings=timed.result.warnings,
        infos=timed.result.infos,
        took_ms=timed.took_s * 1000,
    )


def explore_samples(
    org: Tenant, expression: str, window: Window
) -> Iterator[tuple[str, float, str]]:
    """Yield series, Unix seconds and value of every point; raise PromqlError or StoreError."""
    matrix = _over(org, expression, window).result.value
    assert isinstance(matrix, Matrix)
    times = (matrix.timestamps_ms / 1000).tolist()
    for row, labels in enumerate(matrix.labels):
        name = series_name(labels)
        for column in np.flatnonzero(matrix.present[row]).tolist():
            yield name, times[column], _text(matrix, row, column)


def metric_names(org: Tenant, *, search: str, window: Window) -> tuple[str, ...]:
    """Return the names of metrics with samples in the window that contain every searched word."""
    words = search.lower().split()
    end_ms = to_ms(window.end)
    names = series_store().label_values(org.uid, METRIC_NAME, (), end_ms - window.range_ms, end_ms)
    return tuple(name for name in names if all(word in name.lower() for word in words))


def metric_use(
    org: Tenant, metric: str, chosen: Sequence[tuple[str, str]], window: Window
) -> MetricUse:
    """Count the labels of a metric's series, narrowed to ``chosen`` label values."""
    matchers = [Matcher(METRIC_NAME, MatchOp.EQUAL, metric)]
    matchers += [Matcher(name, MatchOp.EQUAL, value) for name, value in chosen]
    end_ms = to_ms(window.end)
    found = series_store().series(org.uid, matchers, end_ms - window.range_ms, end_ms)
    counts: dict[str, Counter[str]] = {}
    for labels in found[:SERIES_COUNTED]:
        for name, value in labels.items():
            counts.setdefault(name, Counter())[value] += 1
    counts.pop(METRIC_NAME, None)
    return MetricUse(
        total=len(found),
        labels=tuple(_label_use(name, counts[name]) for name in sorted(counts)),
        is_partial=len(found) > SERIES_COUNTED,
    )


def series_name(labels: Mapping[str, str]) -> str:
    """Write a label set as a selector: ``up{job="a"}``."""
    inner = ",".join(
        f"{name}={quoted(value)}" for name, value in labels.items() if name != METRIC_NAME
    )
    return f"{labels.get(METRIC_NAME, '')}{{{inner}}}" if inner else labels.get(METRIC_NAME, "{}")


def quoted(value: str) -> str:
    """Write a label value as PromQL does."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _over(org: Tenant, expression: str, window: Window) -> Timed:
    end_ms = to_ms(window.end)
    return query_range(
        tenant=org.uid,
        promql=expression,
        start_ms=end_ms - window.range_ms,
        end_ms=end_ms,
        step_ms=window.step_ms,
    )


def _label_use(name: str, counts: Counter[str]) -> LabelUse:
    return LabelUse(name=name, distinct=len(counts), values=tuple(counts.most_common(VALUES_SHOWN)))


def _line(matrix: Matrix, row: int) -> Line:
    present = matrix.present[row].tolist()
    values = matrix.values[row].tolist()
    return Line(
        labels=matrix.labels[row],
        values=tuple(
            value if is_there and math.isfinite(value) else None
            for value, is_there in zip(values, present, strict=True)
        ),
    )


def _cells(result: Result) -> tuple[tuple[Cell, ...], int]:
    match result.value:
        case Scalar(value=value):
            return (Cell(labels={}, value=value_text(value)),), 1
        case String(value=text):
            return (Cell(labels={}, value=text),), 1
        case Vector() as vector:
            shown = range(min(len(vector), ROWS_SHOWN))
            return tuple(_vector_cell(vector, row) for row in shown), len(vector)
        case Matrix() as matrix:
            shown = range(min(len(matrix), ROWS_SHOWN))
            return tuple(_matrix_cell(matrix, row) for row in shown), len(matrix)


def _vector_cell(vector: Vector, row: int) -> Cell:
    histogram = None if vector.histograms is None else vector.histograms[row]
    value = value_text(float(vector.values[row])) if histogram is None else _summary(histogram)
    return Cell(labels=vector.labels[row], value=value)


def _matrix_cell(matrix: Matrix, row: int) -> Cell:
    """Write the raw samples of one series, the latest last."""
    columns = np.flatnonzero(matrix.present[row]).tolist()
    shown = [
        f"{_text(matrix, row, column)} @{matrix.timestamps_ms[column] / 1000:.3f}"
        for column in columns
    ]
    return Cell(labels=matrix.labels[row], value="\n".join(shown))


def _text(matrix: Matrix, row: int, column: int) -> str:
    histogram = None if matrix.histograms is None else matrix.histograms[row, column]
    if histogram is not None:
        return _summary(histogram)
    return value_text(float(matrix.values[row, column]))


def _summary(histogram: Histogram) -> str:
    return f"count {value_text(histogram.count)}, sum {value_text(histogram.sum)}"
