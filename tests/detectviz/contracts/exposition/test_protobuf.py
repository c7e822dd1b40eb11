import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectviz.contracts.exposition.cache import SeriesCache
from detectviz.contracts.exposition.negotiation import (
    DEFAULT_PROTOCOLS,
    ScrapeProtocol,
    accept_header,
    parse_exposition,
    protocol_of,
)
from detectviz.contracts.exposition.numbers import format_float
from detectviz.contracts.exposition.protobuf import parse_protobuf
from detectviz.contracts.exposition.result import ExpositionError, MetricType
from detectviz.contracts.exposition.series import labels_of
from detectviz.contracts.histograms import Histogram


def varint(number: int) -> bytes:
    number &= (1 << 64) - 1
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def field(number: int, value: float | bytes | str) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    if isinstance(value, float):
        return varint(number << 3 | 1) + struct.pack("<d", value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def zigzag(number: int) -> int:
    return number << 1 ^ number >> 63


def label(name: str, value: str) -> bytes:
    return field(1, field(1, name) + field(2, value))


def family(name: str, kind: int, *metrics: bytes) -> bytes:
    inner = [field(1, name), field(2, "help"), field(3, kind), *(field(4, m) for m in metrics)]
    data = b"".join(inner)
    return varint(len(data)) + data


TIME = field(1, 1_700_000_000) + field(2, 500_000_000)
EXEMPLAR = label("trace_id", "t") + field(2, 0.5) + field(3, TIME)
COUNTER = family(
    "c_total",
    0,
    label("a", "b") + field(3, field(1, 5.0) + field(2, EXEMPLAR) + field(3, TIME)) + field(6, 42),
)
CLASSIC = family(
    "h",
    4,
    field(
        7,
        field(1, 3)
        + field(2, 2.5)
        + field(3, field(1, 1) + field(2, 0.5) + field(3, EXEMPLAR))
        + field(3, field(1, 2) + field(2, 1.0)),
    ),
)
SPAN = field(1, zigzag(-2)) + field(2, 3)
NATIVE = family(
    "n",
    4,
    field(
        7,
        field(1, 8)
        + field(2, 18.4)
        + field(5, zigzag(3))
        + field(6, 0.001)
        + field(7, 2)
        + field(12, SPAN)
        + field(13, b"".join(map(varint, map(zigzag, (1, 1, -1)))))
        + field(9, field(1, 0) + field(2, 2))
        + field(10, zigzag(1))
        + field(10, zigzag(0))
        + field(15, TIME),
    ),
)
SUMMARY = family(
    "s", 2, field(4, field(1, 4) + field(2, 7.0) + field(3, field(1, 0.5) + field(2, 1.5)))
)


def test_a_counter_has_value_time_exemplar_and_start() -> None:
    found = parse_protobuf(COUNTER)
    assert labels_of(found.series[0]) == {"__name__": "c_total", "a": "b"}
    assert found.values.tolist() == [5.0]
    assert found.timestamps_ms is not None
    assert found.timestamps_ms.tolist() == [42]
    assert found.start_times_ms is not None
    assert found.start_times_ms.tolist() == [1_700_000_000_500]
    assert found.exemplars[0][0].timestamp_ms == 1_700_000_000_500
    assert found.metadata["c_total"].type is MetricType.COUNTER


def test_a_classic_histogram_gives_its_series_with_the_missing_last_bucket() -> None:
    found = parse_protobuf(CLASSIC + SUMMARY)
    values = {
        tuple(labels_of(found.series[owner]).values()): found.values[place]
        for place, owner in enumerate(found.owners)
    }
    assert values == {
        ("h_bucket", "0.5"): 1.0,
        ("h_bucket", "1.0"): 2.0,
        ("h_bucket", "+Inf"): 3.0,
        ("h_sum",): 2.5,
        ("h_count",): 3.0,
        ("s", "0.5"): 1.5,
        ("s_sum",): 7.0,
        ("s_count",): 4.0,
    }
    assert found.exemplars[0][0].labels == {"trace_id": "t"}


def test_a_native_histogram_is_one_sample() -> None:
    found = parse_protobuf(NATIVE)
    assert found.histograms is not None
    assert found.histograms[0] == Histogram(
        count=8,
        sum=18.4,
        schema=3,
        zero_threshold=0.001,
        zero_count=2,
        positive_spans=((-2, 3),),
        positive=(1, 2, 1),
        negative_spans=((0, 2),),
        negative=(1, 1),
    )


@given(st.binary(max_size=400), st.integers(0, 300), st.integers(0, 255))
@settings(max_examples=300)
def test_whatever_comes_the_only_exception_is_its_own(noise: bytes, place: int, byte: int) -> None:
    whole = bytearray(COUNTER + CLASSIC + NATIVE + SUMMARY)
    whole[place % len(whole)] = byte
    cache = SeriesCache()
    for body in (noise, bytes(whole), bytes(whole[:place]), COUNTER + noise):
        try:
            found = parse_protobuf(body, cache)
        except ExpositionError:
            continue
        for token in found.series:
            labels_of(token)


@pytest.mark.parametrize(
    ("content_type", "protocol"),
    [
        ("text/plain; version=0.0.4; charset=utf-8", ScrapeProtocol.TEXT),
        ("application/openmetrics-text; version=1.0.0", ScrapeProtocol.OPENMETRICS_1),
        (
            "application/vnd.google.protobuf; encoding=delimited",
            ScrapeProtocol.PROTOBUF,
        ),
    ],
)
def test_the_content_type_names_the_format(content_type: str, protocol: ScrapeProtocol) -> None:
    assert protocol_of(content_type, None) is protocol


def test_an_unknown_content_type_needs_a_fallback() -> None:
    with pytest.raises(ExpositionError, match="fallback_scrape_protocol"):
        protocol_of("text/html", None)
    assert protocol_of("", ScrapeProtocol.TEXT) is ScrapeProtocol.TEXT


def test_formats_are_asked_for_in_order() -> None:
    assert accept_header(DEFAULT_PROTOCOLS).startswith(
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    )
    assert accept_header(DEFAULT_PROTOCOLS).endswith("*/*;q=0.2")


def test_any_format_is_read_by_name() -> None:
    assert len(parse_exposition(COUNTER, ScrapeProtocol.PROTOBUF)) == 1
    assert len(parse_exposition(b"a 1\n", ScrapeProtocol.TEXT)) == 1
    assert len(parse_exposition(b"a 1\n# EOF\n", ScrapeProtocol.OPENMETRICS_1)) == 1


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1, "1.0"),
        (0, "0.0"),
        (0.05, "0.05"),
        (1e6, "1e+06"),
        (1234567.5, "1.2345675e+06"),
        (0.00001, "1e-05"),
        (float("inf"), "+Inf"),
        (float("nan"), "NaN"),
        (-2.5, "-2.5"),
    ],
)
def test_bounds_are_written_as_go_writes_them(value: float, text: str) -> None:
    assert format_float(value) == text
