"""What holds for every expression."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectviz.promql.engine import Engine
from detectviz.promql.errors import EvaluationError, ParseError
from detectviz.promql.formatting import format_expression
from detectviz.promql.labels import label_key
from detectviz.promql.parser import parse
from detectviz.promql.quoting import quote, unquote
from detectviz.promql.results import Matrix, Vector
from detectviz.tsdb.interface import STALE_NAN, Float64Array
from tests.conformance.promql.store import MemoryStore
from tests.detectviz.promql.expressions import vectors

RELAXED = settings(max_examples=100)


@RELAXED
@given(vectors())
def test_formatted_text_parses_to_the_same_text(query: str) -> None:
    text = format_expression(parse(query))
    assert format_expression(parse(text)) == text


@RELAXED
@given(st.text(max_size=20))
def test_any_text_is_parsed_or_refused(query: str) -> None:
    refused = refusal(query)
    if refused is not None:
        length = len(query.encode("utf-8", "surrogateescape"))
        assert 0 <= refused.start <= refused.end <= length


def refusal(query: str) -> ParseError | None:
    try:
        parse(query)
    except ParseError as error:
        return error
    return None


@RELAXED
@given(st.text())
def test_quoted_strings_read_back(text: str) -> None:
    assert unquote(quote(text)) == text


def irregular_store() -> MemoryStore:
    random = np.random.default_rng(7)
    store = MemoryStore()
    for name in ("foo", "bar_total"):
        for job in "ab":
            for instance in "ab":
                labels = {"__name__": name, "job": job, "instance": instance}
                times = np.unique(random.integers(0, 2_400_000, 80)).tolist()
                total = 0.0
                for index, at in enumerate(times):
                    total = 0.0 if random.random() < 0.05 else total + float(random.integers(0, 9))
                    value = STALE_NAN if index % 23 == 11 else total
                    store.add("acme", labels, at, value)
    return store


STORE = irregular_store()


@RELAXED
@given(vectors(), st.integers(0, 4))
def test_a_point_of_a_range_query_equals_the_instant_query(query: str, step: int) -> None:
    engine = Engine(STORE)
    # The end of the query is what "@ end()" means, so both forms must agree about it.
    pinned = query.replace("@ end()", "@ 1800")
    start, width = 1_200_000, 97_000
    try:
        found = engine.range("acme", pinned, start, start + 4 * width, width).value
    except EvaluationError:
        return
    assert isinstance(found, Matrix)
    single = engine.instant("acme", pinned, start + step * width).value
    assert isinstance(single, Vector)
    wanted = {
        label_key(labels): found.values[row, step]
        for row, labels in enumerate(found.labels)
        if found.present[row, step]
    }
    got = {
        label_key(labels): value
        for labels, value in zip(single.labels, single.values.tolist(), strict=True)
    }
    assert got.keys() == wanted.keys()
    for key, value in got.items():
        assert value == pytest.approx(wanted[key], nan_ok=True, rel=1e-9)


@RELAXED
@given(
    st.lists(st.floats(-1e6, 1e6) | st.sampled_from([math.nan, math.inf]), min_size=1, max_size=9),
    st.sampled_from(["sum", "avg", "min", "max", "count", "stddev", "stdvar"]),
)
def test_aggregations_agree_with_plain_arithmetic(values: list[float], operator: str) -> None:
    store = MemoryStore()
    for index, value in enumerate(values):
        labels = {"__name__": "x", "i": str(index), "parity": str(index % 2)}
        store.add("acme", labels, 0, value)
    found = Engine(store).instant("acme", f"{operator} by (parity) (x)", 0).value
    assert isinstance(found, Vector)
    for one, value in zip(found.labels, found.values.tolist(), strict=True):
        group = np.array(values[int(one["parity"]) :: 2])
        assert value == pytest.approx(plain(operator, group), rel=1e-6, abs=1e-6, nan_ok=True)


def plain(operator: str, group: Float64Array) -> float:
    with np.errstate(all="ignore"):
        known = group[~np.isnan(group)]
        results = {
            "sum": group.sum(),
            "avg": group.mean(),
            "min": known.min() if len(known) else math.nan,
            "max": known.max() if len(known) else math.nan,
            "count": len(group),
            "stddev": group.std(),
            "stdvar": group.var(),
        }
        return float(results[operator])
