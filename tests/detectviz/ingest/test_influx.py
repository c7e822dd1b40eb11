"""Influx line protocol as samples."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from influxdb_client.client.write.point import Point

from detectviz.ingest import influx
from detectviz.ingest.batch import Batch
from detectviz.ingest.errors import MalformedError

T = 1_700_000_000_000
NS = T * 1_000_000
Found = list[tuple[dict[str, str], int, float]]


def parsed(text: str, precision: str = "ns") -> Batch:
    return influx.parse(text.encode(), precision=precision, now_ms=T + 5)


def rows(batch: Batch) -> Found:
    columns = batch.columns
    return [
        (
            dict(columns.labels_of(columns.series[int(columns.owners[place])])),
            int(columns.timestamps_ms[place]),
            float(columns.values[place]),
        )
        for place in range(len(columns))
    ]


def test_each_field_is_a_metric_and_each_tag_a_label() -> None:
    line = f'cpu,host=a,dc=eu usage=1.5,idle=98i,up=t,n=3u,bad=F,note="x y, z" {NS}'
    labels = {"host": "a", "dc": "eu"}
    assert rows(parsed(line)) == [
        ({"__name__": "cpu_usage", **labels}, T, 1.5),
        ({"__name__": "cpu_idle", **labels}, T, 98.0),
        ({"__name__": "cpu_up", **labels}, T, 1.0),
        ({"__name__": "cpu_n", **labels}, T, 3.0),
        ({"__name__": "cpu_bad", **labels}, T, 0.0),
    ]


def test_a_field_named_value_gives_its_name_away() -> None:
    assert rows(parsed(f"load value=1 {NS}"))[0][0] == {"__name__": "load"}


@pytest.mark.parametrize(
    ("line", "labels"),
    [
        (r"my\ disk,path=/a\,b\=c f=1", {"__name__": "my_disk_f", "path": "/a,b=c"}),
        (r"m,a\ b=c\ d x\=y=1", {"__name__": "m_x_y", "a_b": "c d"}),
        (r"m,p=C:\temp f=1", {"__name__": "m_f", "p": r"C:\temp"}),
        ("1m f.g=1", {"__name__": "_1m_f_g"}),
        ('m s="a=1,b=2 \\" c",f=1', {"__name__": "m_f"}),
        ('m s="two\nlines",f=1', {"__name__": "m_f"}),
        ('m s="ends\\\\",f=1', {"__name__": "m_f"}),
    ],
)
def test_escapes(line: str, labels: dict[str, str]) -> None:
    batch = parsed(line)
    assert batch.refusals.examples == []
    assert rows(batch) == [(labels, T + 5, 1.0)]


@pytest.mark.parametrize(
    ("time", "precision", "expected"),
    [
        (str(NS + 999_999), "ns", T),
        (str(T * 1000), "us", T),
        (str(T * 1000), "u", T),
        (str(T), "ms", T),
        (str(T // 1000), "s", T),
        ("28333333", "m", 28333333 * 60_000),
        ("472222", "h", 472222 * 3_600_000),
        ("-1", "s", -1000),
        ("", "s", T + 5),
    ],
)
def test_times_by_precision(time: str, precision: str, expected: int) -> None:
    assert rows(parsed(f"m f=1 {time}", precision)) == [({"__name__": "m_f"}, expected, 1.0)]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("m", "no fields"),
        ("m f", "not key=value"),
        ("m f=", "not key=value"),
        (",a=b f=1", "no measurement"),
        ("m,a f=1", "tag 'a'"),
        ("m,a=1,a=2 f=1", "twice"),
        ("m,__name__=x f=1", "reserved"),
        ("m f=abc", "no value"),
        ("m f=nan", "no value"),
        ("m f=1.5i", "no value"),
        ("m f=-1u", "no value"),
        ("m f=99999999999999999999i", "no value"),
        ('m f="open', "does not end"),
        ('m f="a"b', "behind a quoted text"),
        ('m f="text"', "every field is a text"),
        ("m f=1 soon", "no time"),
        ("m f=1 1 2", "no time"),
        ("m f=1_0", "no value"),
    ],
)
def test_a_wrong_line_is_named_and_the_others_are_kept(line: str, words: str) -> None:
    batch = parsed(f"# a remark\n\nok f=1\n{line}")
    assert rows(batch) == [({"__name__": "ok_f"}, T + 5, 1.0)]
    assert batch.refusals.count == 1
    assert batch.refusals.examples[0].startswith("line 4: ")
    assert words in batch.refusals.examples[0]


def test_a_wrong_precision_or_encoding_refuses_the_body() -> None:
    with pytest.raises(MalformedError, match="precision"):
        parsed("m f=1", "week")
    with pytest.raises(MalformedError, match="UTF-8"):
        influx.parse(b"m f=1\xff", precision="s", now_ms=T)


texts = st.text(
    st.characters(blacklist_categories=["Cs", "Cc"], blacklist_characters="\\"),
    min_size=1,
    max_size=6,
)


@given(
    st.dictionaries(texts, texts, max_size=3),
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(2**40), 2**40),
)
@settings(max_examples=200)
def test_what_the_public_client_writes_is_read(
    tags: dict[str, str], value: float, number: int
) -> None:
    make: Any = Point  # the library is untyped
    point = make("m x").time(T, "ms").field("f", value).field("i", number)
    for key, text in tags.items():
        point.tag(f"t{key}", f"v{text}v")
    batch = parsed(point.to_line_protocol(), "ms")
    names = {influx._name(f"t{key}") for key in tags}
    if len(names) == len(tags):
        found = rows(batch)
        assert [row[1:] for row in found] == [(T, value), (T, float(number))]
        assert set(found[0][0]) == {"__name__", *names}
        assert {text for name, text in found[0][0].items() if name in names} == {
            f"v{text}v" for text in tags.values()
        }


@given(st.binary(max_size=100) | st.text('m ,=\\"\n1i.# ', max_size=40).map(str.encode))
@settings(max_examples=500)
def test_garbage_is_refused_and_never_a_crash(data: bytes) -> None:
    try:
        batch = influx.parse(data, precision="ms", now_ms=T)
    except MalformedError:
        return
    assert all(math.isfinite(value) or abs(value) == math.inf for value in batch.columns.values)
