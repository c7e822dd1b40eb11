"""Evaluates the cases of a script and compares them as Prometheus' own runner does."""

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np

from detectviz.promql import nodes
from detectviz.promql.engine import Engine
from detectviz.promql.errors import PromqlError
from detectviz.promql.formatting import format_expression
from detectviz.promql.histograms.drafts import compacted, same_buckets
from detectviz.promql.labels import format_labels, label_key
from detectviz.promql.parser import parse
from detectviz.promql.results import Answer, Matrix, Result, Scalar, String, Vector
from detectviz.tsdb.histograms import Histogram
from detectviz.tsdb.interface import (
    STALE_NAN_BITS,
    Float64Array,
    HistogramArray,
    Sample,
    SeriesStore,
)
from tests.conformance.promql.hints import with_hints
from tests.conformance.promql.nhcb import native_series
from tests.conformance.promql.script import (
    Case,
    Clear,
    Expectation,
    HistogramPoint,
    Load,
    SeriesLine,
    read_script,
)
from tests.conformance.promql.store import MemoryStore

Got: TypeAlias = float | Histogram
HERE = Path(__file__).parent
DATA = HERE / "data"
EXPECTED_FAILURES = HERE / "expected_failures.txt"
TENANT = "conformance"
_TOLERANCE = 1e-6
_MINUTE_MS = 60_000
_MOVING = """days_in_month day_of_month day_of_week day_of_year hour minute month year
    predict_linear time timestamp start end range step"""
_MOVES_WITH_TIME = frozenset(_MOVING.split())
# No reason to miss a case: one listed so fails the run.
OPEN = "open"
_DEPENDS_ON_RANGE = r"(?i)\b(?:start|end|range|step)\s*\(\s*\)"


class MismatchError(Exception):
    """A case's answer differs from what its script expects."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one case; ``problem`` is None when it was met."""

    file: str
    case: Case
    problem: str | None

    @property
    def place(self) -> str:
        return f"{self.file}:{self.case.line}"


def run_file(name: str, make_store: Callable[[], SeriesStore] = MemoryStore) -> Iterator[Outcome]:
    """Yield the outcome of every case of one script, over stores of the given kind."""
    store = make_store()
    for command in read_script(DATA / name):
        match command:
            case Clear():
                store.close()
                store = make_store()
            case Load():
                load(store, command)
            case Case():
                yield Outcome(name, command, problem_of(store, command))


def load(store: SeriesStore, command: Load) -> None:
    """Add samples to the store."""
    lines = [*command.series]
    if command.converts_buckets:
        lines += native_series(command.series)
    store.append(TENANT, [one for line in lines for one in _loaded(line, command.interval_ms)])


def _loaded(line: SeriesLine, interval_ms: int) -> Iterator[Sample]:
    held = [
        (index * interval_ms, point) for index, point in enumerate(line.points) if point is not None
    ]
    starts = {
        index * interval_ms: index * interval_ms + start
        for index, start in enumerate(line.starts_ms)
        if start is not None
    }
    histograms = with_hints(
        [point.histogram if isinstance(point, HistogramPoint) else None for _, point in held]
    )
    for (at, point), histogram in zip(held, histograms, strict=True):
        if isinstance(point, float):
            yield Sample(line.labels, at, point, start_ms=starts.get(at, 0))
        else:
            yield Sample(line.labels, at, histogram=histogram, start_ms=starts.get(at, 0))


def problem_of(store: SeriesStore, case: Case) -> str | None:
    """Evaluate one case in all its forms; return what is wrong, None if nothing is."""
    engine = Engine(store)
    try:
        for form in forms(case):
            check(engine, form)
    except (MismatchError, PromqlError) as error:
        return f"{type(error).__name__}: {error}"
    return None


def forms(case: Case) -> Iterator[Case]:
    """Yield the case as written, as a range query around its time, and both with ``@``."""
    yield case
    if case.step_ms is not None or case.grid_ms is not None:
        return
    variants = [case, *_with_at(case)]
    yield from variants[1:]
    if case.ordered or case.string is not None or re.search(_DEPENDS_ON_RANGE, case.query):
        return
    for variant in variants:
        start, end = variant.start_ms - _MINUTE_MS, variant.start_ms + _MINUTE_MS
        yield replace(variant, start_ms=start, end_ms=end, step_ms=_MINUTE_MS, is_recast=True)


def _with_at(case: Case) -> list[Case]:
    if case.fails:
        return []
    expression = parse(case.query)
    if any(
        isinstance(one, nodes.Call) and one.function in _MOVES_WITH_TIME
        for one in nodes.walk(expression)
    ):
        return []
    query = format_expression(pinned(expression, case.start_ms))
    at = case.start_ms
    times = [-10 * at, 0, at // 5, at, 10 * at] if at else [-1000, 0, 1000]
    silent = replace(
        case, query=query, warnings=[], infos=[], no_warning=False, no_info=False
    )  # positions move with the text
    return [replace(silent, start_ms=time, end_ms=time) for time in times]


def pinned(node: nodes.Expression, at_ms: int) -> nodes.Expression:
    """Put ``@`` on every selector and outermost subquery that has none."""
    if isinstance(node, nodes.Subquery):
        return replace(node, at=at_ms) if node.at is None else node
    if isinstance(node, nodes.VectorSelector):
        return replace(node, at=at_ms) if node.at is None else node
    return nodes.with_children(node, lambda child: pinned(child, at_ms))


def check(engine: Engine, case: Case) -> None:
    """Evaluate one form of a case; MismatchError if it is not as expected."""
    try:
        if case.step_ms is None:
            result = engine.instant(TENANT, case.query, case.start_ms)
        else:
            result = engine.range(TENANT, case.query, case.start_ms, case.end_ms, case.step_ms)
    except PromqlError as error:
        if not case.fails:
            raise
        _check_failure(case, error)
        return
    if case.fails:
        raise MismatchError("expected to fail and did not")
    if not case.is_recast:
        _check_annotations(case, result)
    _check_answer(case, result.value)


def _check_failure(case: Case, error: PromqlError) -> None:
    if not any(_says(expected, str(error)) for expected in case.fails):
        raise MismatchError(f"failed with {error}")


def _says(expected: Expectation, text: str) -> bool:
    if expected.text is not None:
        return expected.text == text
    return expected.pattern is None or re.search(expected.pattern, text) is not None


def _check_annotations(case: Case, result: Result) -> None:
    for wanted, found in ((case.warnings, result.warnings), (case.infos, result.infos)):
        for expected in wanted:
            if not any(_says(expected, text) for text in found):
                raise MismatchError(f"no annotation {expected} in {found}")
        for text in found:
            if wanted and not any(_says(expected, text) for expected in wanted):
                raise MismatchError(f"unexpected {text}")
    if (case.no_warning and result.warnings) or (case.no_info and result.infos):
        raise MismatchError(f"unexpected {result.annotations}")


def _check_answer(case: Case, answer: Answer) -> None:
    if case.string is not None:
        if not isinstance(answer, String) or answer.value != case.string:
            raise MismatchError(f"got {answer}")
    elif isinstance(answer, Scalar):
        _expect(case.scalar is not None and same(case.scalar, answer.value), answer)
    elif isinstance(answer, Vector):
        _check_vector(case, answer)
    elif isinstance(answer, Matrix):
        _check_matrix(case, answer)
    else:
        raise MismatchError(f"got {answer}")


def _expect(truth: object, got: object) -> None:
    if not truth:
        raise MismatchError(f"got {got}")


def _check_vector(case: Case, answer: Vector) -> None:
    values = _samples(answer.values, answer.histograms)
    got = [(label_key(labels), value) for labels, value in zip(answer.labels, values, strict=True)]
    wanted = [(label_key(line.labels), line.points[0]) for line in case.series]
    if not case.ordered:
        got.sort(key=lambda pair: pair[0])
        wanted.sort(key=lambda pair: pair[0])
    shown = [f"{format_labels(dict(key))} {value}" for key, value in got]
    if case.scalar is not None or [key for key, _ in got] != [key for key, _ in wanted]:
        raise MismatchError(f"got {shown}")
    for (_, value), (_, point) in zip(got, wanted, strict=True):
        _expect(same(point, value), shown)


def _samples(values: Float64Array, histograms: HistogramArray | None) -> list[Got]:
    held = [None] * len(values) if histograms is None else histograms.tolist()
    return [
        value if histogram is None else histogram
        for value, histogram in zip(values.tolist(), held, strict=True)
    ]


def _times(case: Case, answer: Matrix) -> list[int]:
    if case.grid_ms is None:
        return [int(time) for time in answer.timestamps_ms]
    start, end, step = case.grid_ms
    return list(range(start, end + 1, step))


def _check_matrix(case: Case, answer: Matrix) -> None:
    keys = [label_key(labels) for labels in answer.labels]
    _expect(keys == sorted(keys), keys)
    times = _times(case, answer)
    columns = {time: index for index, time in enumerate(answer.timestamps_ms.tolist())}
    got: dict[object, list[Got | None]] = {}
    for row, labels in enumerate(keys):
        got[labels] = [_point(answer, row, columns.get(time)) for time in times]
    wanted = _wanted(case)
    if case.is_recast:
        got = {key: [None, points[1], None] for key, points in got.items()}
        wanted = {key: [None, *points[:1], None] for key, points in wanted.items()}
    got = {key: points for key, points in got.items() if any(p is not None for p in points)}
    wanted = {key: points for key, points in wanted.items() if any(p is not None for p in points)}
    if got.keys() != wanted.keys():
        raise MismatchError(f"got {got}, wanted {wanted}")
    for key, expected in wanted.items():
        padded = expected + [None] * (len(times) - len(expected))
        for one, other in zip(padded, got[key], strict=True):
            _expect(same(one, other), got)


def _point(answer: Matrix, row: int, column: int | None) -> Got | None:
    if column is None or not answer.present[row, column]:
        return None
    histograms = None if answer.histograms is None else answer.histograms[row]
    return _samples(answer.values[row], histograms)[column]


def _wanted(case: Case) -> dict[object, list[object]]:
    if case.scalar is not None:
        return {(): [case.scalar]}
    return {label_key(line.labels): list(line.points) for line in case.series}


def same(expected: object, got: Got | None) -> bool:
    """Compare as promqltest does: histograms by layout and counts, numbers nearly."""
    if isinstance(expected, HistogramPoint) and isinstance(got, Histogram):
        return same_histogram(expected, got)
    if not isinstance(expected, float) or not isinstance(got, float):
        return expected is None and got is None
    return same_number(expected, got)


def same_number(expected: float, got: float) -> bool:
    """Compare numbers: relative 1e-6, NaN equals NaN, a stale marker only itself."""
    if _is_stale(expected) or _is_stale(got):
        return _is_stale(expected) and _is_stale(got)
    if expected == got or (math.isnan(expected) and math.isnan(got)):
        return True
    if expected == 0 or got == 0 or not math.isfinite(expected + got):
        return abs(expected - got) < _TOLERANCE * 2.2250738585072014e-308
    return abs(expected - got) / (abs(expected) + abs(got)) < _TOLERANCE


def same_histogram(expected: HistogramPoint, got: Histogram) -> bool:
    """Compare layouts exactly, counts nearly, and counter reset hints if the script states one."""
    one, other = compacted(expected.histogram), compacted(got)
    if expected.has_hint and one.counter_reset is not other.counter_reset:
        return False
    if (one.schema, one.zero_threshold) != (other.schema, other.zero_threshold):
        return False
    return same_buckets(one, other) and all(map(same_number, _counts(one), _counts(other)))


def _counts(histogram: Histogram) -> list[float]:
    counts = (histogram.count, histogram.sum, histogram.zero_count)
    return [float(one) for one in (*counts, *histogram.positive, *histogram.negative)]


def _is_stale(value: float) -> bool:
    return int(np.float64(value).view(np.int64)) == STALE_NAN_BITS


def main() -> None:
    """Print met cases per script; take cases that are met now off the list of failures."""
    before = expected_failures()
    missed: list[str] = []
    counts: list[tuple[str, int, int]] = []
    for path in sorted(DATA.glob("*.test")):
        outcomes = list(run_file(path.name))
        failed = [one for one in outcomes if one.problem is not None]
        counts.append((path.stem, len(outcomes) - len(failed), len(outcomes)))
        missed += [f"{one.place} {before.get(one.place, OPEN)}" for one in failed]
    counts.append(("total", sum(one[1] for one in counts), sum(one[2] for one in counts)))
    for name, met, total in counts:
        print(f"{name:24}{met:6}/{total}")  # noqa: T201 - the table asked for
    EXPECTED_FAILURES.write_text("".join(f"{line}\n" for line in missed))


def expected_failures() -> dict[str, str]:
    """Return the listed cases: place and reason class."""
    lines = EXPECTED_FAILURES.read_text().splitlines()
    return {place: reason for place, _, reason in (line.partition(" ") for line in lines)}


if __name__ == "__main__":
    main()
