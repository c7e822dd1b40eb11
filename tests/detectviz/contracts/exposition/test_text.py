import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as prometheus_text

from detectviz.contracts.exposition.cache import SeriesCache
from detectviz.contracts.exposition.result import (
    NO_TIMESTAMP,
    Exposition,
    ExpositionError,
    FamilyMetadata,
    MetricType,
)
from detectviz.contracts.exposition.series import labels_of, token_of
from detectviz.contracts.exposition.text import parse_openmetrics, parse_text

TEXT = rb"""# HELP http_requests_total The total number of HTTP requests.
# TYPE http_requests_total counter
http_requests_total{method="post",code="200"} 1027 1395066363000
http_requests_total{method="post",code="400"}    3 1395066363000

# Escaping in label values:
msdos_file_access_time{path="C:\\DIR\\FILE.TXT",error="Cannot find file:\n\"FILE.TXT\""} 1.4e9

# Minimalistic line:
metric_without_timestamp_and_labels 12.47

# A weird metric from before the epoch:
something_weird{problem="division by zero"} +Inf -3982045
# TYPE http_request_duration_seconds histogram
http_request_duration_seconds_bucket{le="0.05"} 24054
http_request_duration_seconds_bucket{le="+Inf"} 144320
http_request_duration_seconds_sum 53423
http_request_duration_seconds_count 144320
"""
OPENMETRICS = b"""# TYPE acme_http_router_request_seconds summary
# UNIT acme_http_router_request_seconds seconds
# HELP acme_http_router_request_seconds Latency through all of ACME's HTTP request router.
acme_http_router_request_seconds_sum{path="/api/v1",method="GET"} 9036.32
acme_http_router_request_seconds_count{path="/api/v1",method="GET"} 807283.0
acme_http_router_request_seconds_created{path="/api/v1",method="GET"} 1605281325.0
# TYPE foo counter
foo_total{a="b"} 17.0 1520879607.789 # {trace_id="KOO5S4vxi0o"} 0.67 1520879606.1
foo_created{a="b"} 1520430000.123 1520879607.789
# TYPE state stateset
state{state="on"} 1
# TYPE build info
build_info{version="1"} 1
# EOF
"""


def rows(found: Exposition) -> list[tuple[dict[str, str], float, int | None]]:
    times = found.timestamps_ms
    return [
        (
            labels_of(found.series[owner]),
            float(found.values[place]),
            None if times is None or times[place] == NO_TIMESTAMP else int(times[place]),
        )
        for place, owner in enumerate(found.owners.tolist())
    ]


def test_text_gives_samples_times_and_metadata() -> None:
    found = parse_text(TEXT)
    assert rows(found)[0] == (
        {"__name__": "http_requests_total", "method": "post", "code": "200"},
        1027.0,
        1395066363000,
    )
    assert rows(found)[2][0]["error"] == 'Cannot find file:\n"FILE.TXT"'
    assert rows(found)[2][0]["path"] == "C:\\DIR\\FILE.TXT"
    assert rows(found)[4] == (
        {"__name__": "something_weird", "problem": "division by zero"},
        float("inf"),
        -3982045,
    )
    assert found.metadata["http_requests_total"] == FamilyMetadata(
        type=MetricType.COUNTER, help="The total number of HTTP requests."
    )


def test_openmetrics_gives_exemplars_units_and_start_times() -> None:
    found = parse_openmetrics(OPENMETRICS)
    assert found.metadata["acme_http_router_request_seconds"].unit == "seconds"
    assert found.metadata["state"].type is MetricType.STATESET
    assert found.start_times_ms is not None
    assert found.start_times_ms.tolist() == [
        1605281325000,
        1605281325000,
        0,
        1520430000123,
        0,
        0,
        0,
    ]
    (exemplar,) = found.exemplars[3]
    assert (exemplar.labels, exemplar.value, exemplar.timestamp_ms) == (
        {"trace_id": "KOO5S4vxi0o"},
        0.67,
        1520879606100,
    )
    assert rows(found)[3][2] == 1520879607789


def test_names_outside_the_old_alphabet_stand_in_quotes() -> None:
    found = parse_text(b'{"my.metric","a b"="1",c="2"} 4\n# TYPE "my.metric" gauge\n')
    assert rows(found) == [({"__name__": "my.metric", "a b": "1", "c": "2"}, 4.0, None)]
    assert found.metadata["my.metric"].type is MetricType.GAUGE


@pytest.mark.parametrize("text", [TEXT])
def test_text_is_read_as_prometheus_client_reads_it(text: bytes) -> None:
    wanted = [
        ({"__name__": each.name, **each.labels}, float(each.value))
        for family in prometheus_text(text.decode())
        for each in family.samples
    ]
    assert sorted(map(str, wanted)) == sorted(str(row[:2]) for row in rows(parse_text(text)))


def test_openmetrics_is_read_as_prometheus_client_reads_it() -> None:
    wanted = [
        ({"__name__": each.name, **each.labels}, float(each.value))
        for family in openmetrics(OPENMETRICS.decode())  # type: ignore[no-untyped-call] # the library's gap
        for each in family.samples
    ]
    assert wanted == [row[:2] for row in rows(parse_openmetrics(OPENMETRICS))]


@pytest.mark.parametrize(
    ("body", "line", "column"),
    [
        (b"a 1\nb{c=} 2\n", 2, 4),
        (b"a 1\nb 2 x\n", 2, 5),
        (b"a 1_0\n", 1, 3),
        (b"a\n", 1, 2),
        (b"a 1 2 3\n", 1, 7),
        (b"a 1\r\n", 1, 3),
        (b"1a 1\n", 1, 1),
        (b'a{b="\xff"} 1\n', 1, 6),
        (b'a{b="1",b="2"} 1\n', 1, 2),
        (b'a{b="1" 1\n', 1, 2),
        (b'a{b="1"c="2"} 1\n', 1, 8),
        (b"# TYPE a funny\n", 1, 10),
        (b"# HELP a \xff\n", 1, 10),
    ],
)
def test_an_error_names_line_and_column(body: bytes, line: int, column: int) -> None:
    with pytest.raises(ExpositionError) as refused:
        parse_text(body)
    assert (refused.value.line, refused.value.column) == (line, column), str(refused.value)


@pytest.mark.parametrize(
    "body", [b"a 1\n", b"a 1\n# EOF\nb 1\n", b"a 1\n\n# EOF\n", b"# remark\n# EOF", b""]
)
def test_openmetrics_wants_its_end_and_no_empty_line(body: bytes) -> None:
    with pytest.raises(ExpositionError):
        parse_openmetrics(body)


def test_a_refused_body_leaves_the_cache_as_it_was() -> None:
    cache = SeriesCache()
    parse_text(b"a 1\nb 2\n", cache)
    with pytest.raises(ExpositionError):
        parse_text(b"a 5\nb x\n", cache)
    assert parse_text(b"a 1\nb 2\n", cache).values.tolist() == [1.0, 2.0]


LINE = st.sampled_from(
    [
        b"a 1",
        b"a 2",
        b"a{} 3",
        b'a{b="x y"} 1',
        b'a{b="x y"} NaN',
        b'a{b="x } y"} 4 17',
        b"a\t5",
        b" a 6 ",
        b"ab 7",
        b"a 1e3",
        b"",
        b"# TYPE a gauge",
        b"# TYPE a counter",
        b"# remark",
        b'{"a.b"} 8',
    ]
)


@given(st.lists(st.lists(LINE, max_size=6), min_size=1, max_size=5))
def test_a_cache_changes_nothing_but_the_time_it_takes(bodies: list[list[bytes]]) -> None:
    cache = SeriesCache()
    for lines in bodies:
        body = b"\n".join(lines)
        fresh, cached = parse_text(body), parse_text(body, cache)
        assert str(rows(cached)) == str(rows(fresh))
        assert cached.metadata == fresh.metadata


@given(st.binary() | st.text().map(str.encode) | st.lists(LINE | st.binary()).map(b"\n".join))
@settings(max_examples=300)
def test_whatever_comes_the_only_exception_is_its_own(body: bytes) -> None:
    cache = SeriesCache()
    for parse in (parse_text, parse_openmetrics):
        for attempt in (body, b"a 1\n" + body, body + b"\n# EOF\n"):
            try:
                found = parse(attempt, cache)
            except ExpositionError:
                continue
            assert len(found.values) == len(found.owners)
            for token in found.series:
                labels_of(token)


NAMES = st.text(min_size=1).filter(lambda name: name != "__name__")


@given(NAMES, st.dictionaries(NAMES, st.text(min_size=1)))
def test_a_token_is_turned_back_into_its_labels(name: str, labels: dict[str, str]) -> None:
    assert labels_of(token_of({"__name__": name, **labels})) == {"__name__": name, **labels}


def test_hostile_lines_take_no_longer_than_their_length() -> None:
    started = time.process_time()
    for body in (
        b"a{" + b'b="x",' * 50_000,
        b"a" * 1_000_000,
        b"a " * 300_000,
        b'a{b="' + b"\\" * 1_000_000,
        b"{" * 1_000_000,
        b"# HELP " + b" " * 1_000_000,
        b'# HELP "' + b"\\a" * 500_000,
    ):
        with pytest.raises(ExpositionError):
            parse_text(body)
    assert time.process_time() - started < 5


def test_a_known_layout_is_read_with_the_values_it_has_now() -> None:
    cache = SeriesCache()
    first = b"".join(b'm{i="%d"} %d\n' % (i, i) for i in range(1000))
    again = b"".join(b'm{i="%d"} %d\n' % (i, i + i % 2) for i in range(1000))
    one, two = parse_text(first, cache), parse_text(again, cache)
    assert np.array_equal(two.values - one.values, np.arange(1000) % 2)
    assert two.series == one.series
