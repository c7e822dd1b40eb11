"""Remote write 1.0 and 2.0, encoded by Google's protobuf."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectviz.ingest import remote_write, remote_write_v2
from detectviz.ingest.batch import Batch, MetricFacts
from detectviz.ingest.bodies import unpack
from detectviz.ingest.errors import MalformedError
from detectviz.tsdb.histograms import CounterReset, Histogram
from detectviz.tsdb.interface import STALE_NAN, STALE_NAN_BITS
from detectviz.tsdb.remote_write import compressed, encode_labels, encode_series
from tests.factories.prompb import V1, V2, RequestV2, labels_v1

T = 1_700_000_000_000
Row = tuple[dict[str, str], int, float, Histogram | None, int]


def rows(batch: Batch) -> list[Row]:
    columns = batch.columns
    found = []
    for place in range(len(columns)):
        labels = dict(columns.labels_of(columns.series[int(columns.owners[place])]))
        histogram = None if columns.histograms is None else columns.histograms[place]
        start = 0 if columns.start_times_ms is None else int(columns.start_times_ms[place])
        found.append(
            (labels, int(columns.timestamps_ms[place]), columns.values[place], histogram, start)
        )
    return found


def series_v1(samples: list[tuple[int, float]], **labels: str) -> Any:
    return V1["TimeSeries"](
        labels=labels_v1(**labels),
        samples=[V1["Sample"](timestamp=time, value=value) for time, value in samples],
    )


def parsed_v1(*series: Any, **more: Any) -> Batch:
    return remote_write.parse(V1["WriteRequest"](timeseries=series, **more).SerializeToString())


def native(**changes: Any) -> dict[str, Any]:
    return {
        "count_int": 12,
        "sum": 18.4,
        "schema": 1,
        "zero_threshold": 0.001,
        "zero_count_int": 2,
        "positive_spans": [{"offset": 0, "length": 2}, {"offset": 1, "length": 2}],
        "positive_deltas": [1, 1, -1, 0],
        "negative_spans": [{"offset": 0, "length": 2}],
        "negative_deltas": [3, -1],
        "timestamp": T,
    } | changes


NATIVE = Histogram(
    count=12,
    sum=18.4,
    schema=1,
    zero_threshold=0.001,
    zero_count=2,
    positive_spans=((0, 2), (1, 2)),
    positive=(1, 2, 1, 1),
    negative_spans=((0, 2),),
    negative=(3, 2),
)


def test_each_series_has_its_labels_time_and_value() -> None:
    batch = parsed_v1(
        series_v1([(T, 1.5)], name="up", job="a"),
        series_v1([(T + 1, 0.0)], name="up", job="b"),
        series_v1([(-5, float("inf"))], name="old"),
    )
    assert rows(batch) == [
        ({"__name__": "up", "job": "a"}, T, 1.5, None, 0),
        ({"__name__": "up", "job": "b"}, T + 1, 0.0, None, 0),
        ({"__name__": "old"}, -5, float("inf"), None, 0),
    ]


def test_samples_of_one_series_stay_in_order_whatever_their_shape() -> None:
    batch = parsed_v1(
        series_v1([(T, 1.0), (T + 1, 0.0), (T + 2, 3.0)], name="up"),
        series_v1([(T, 9.0)], name="down"),
        series_v1([(T + 3, 4.0)], name="up"),
        series_v1([], name="nothing"),
    )
    assert [row[1:3] for row in rows(batch) if row[0] == {"__name__": "up"}] == [
        (T, 1.0),
        (T + 1, 0.0),
        (T + 2, 3.0),
        (T + 3, 4.0),
    ]
    assert len(batch.columns.series) == 2


def test_a_stale_marker_keeps_its_bits() -> None:
    batch = parsed_v1(series_v1([(T, STALE_NAN)], name="up"))
    assert batch.columns.values.view(np.uint64)[0] == STALE_NAN_BITS


def test_a_label_that_ends_like_a_sample_is_a_label() -> None:
    tail = (b"\x12\x07\x10" + b"\x80" * 5).decode("latin-1")
    batch = parsed_v1(series_v1([(T, 1.0)], name="up", zz=tail + "\x01"))
    assert rows(batch) == [({"__name__": "up", "zz": tail + "\x01"}, T, 1.0, None, 0)]


def test_metadata_and_exemplars_come_along() -> None:
    series = series_v1([(T, 1.0)], name="requests_total")
    series.exemplars.add(labels=labels_v1(trace_id="abc"), value=0.5, timestamp=T - 1)
    fact = V1["MetricMetadata"](type=1, metric_family_name="requests", help="Served.", unit="")
    batch = parsed_v1(series, metadata=[fact])
    assert batch.facts == (MetricFacts(name="requests", type="counter", help="Served."),)
    (exemplar,) = batch.exemplars
    assert batch.columns.labels_of(exemplar.series) == {"__name__": "requests_total"}
    assert (exemplar.labels, exemplar.value, exemplar.timestamp_ms) == (
        {"trace_id": "abc"},
        0.5,
        T - 1,
    )


def test_native_histograms_with_counts_of_both_kinds_and_custom_buckets() -> None:
    custom = {
        "count_float": 3.5,
        "sum": 2.0,
        "schema": -53,
        "positive_spans": [{"offset": 0, "length": 2}],
        "positive_counts": [1.5, 2.0],
        "custom_values": [0.5, 1.0],
        "reset_hint": 3,
        "timestamp": T,
    }
    batch = parsed_v1(
        V1["TimeSeries"](labels=labels_v1(name="h"), histograms=[native()]),
        V1["TimeSeries"](labels=labels_v1(name="nhcb"), histograms=[custom]),
        series_v1([(T, 1.0)], name="up"),
    )
    found = [row[3] for row in rows(batch)]
    assert found[0] == NATIVE
    assert found[1] == Histogram(
        count=3.5,
        sum=2.0,
        schema=-53,
        positive_spans=((0, 2),),
        positive=(1.5, 2.0),
        custom_values=(0.5, 1.0),
        counter_reset=CounterReset.GAUGE,
    )
    assert found[2] is None


def test_a_stale_histogram_is_a_stale_marker() -> None:
    series = V1["TimeSeries"](labels=labels_v1(name="h"), histograms=[native(sum=STALE_NAN)])
    batch = parsed_v1(series)
    assert batch.columns.histograms is None
    assert batch.columns.values.view(np.uint64)[0] == STALE_NAN_BITS


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"schema": 9}, "schema 9"),
        ({"count_int": 3}, "more than its count"),
        ({"positive_deltas": [1]}, "need 4 buckets, 1 were sent"),
        ({"positive_deltas": [1, -2, 0, 0]}, "negative count"),
        ({"zero_threshold": -1.0}, "zero threshold"),
        ({"reset_hint": 7}, "hint 7"),
        ({"custom_values": [1.0]}, "custom values"),
        ({"schema": -53}, "negative or zero buckets"),
    ],
)
def test_a_wrong_histogram_is_refused_and_the_rest_is_kept(
    change: dict[str, Any], words: str
) -> None:
    wrong = V1["TimeSeries"](labels=labels_v1(name="h"), histograms=[native(**change)])
    batch = parsed_v1(wrong, series_v1([(T, 1.0)], name="up"))
    assert batch.refusals.count == 1
    assert words in batch.refusals.examples[0]
    assert batch.refusals.examples[0].startswith("h{}: ")
    assert len(batch.columns) == 1


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        ([("b", "1"), ("a", "2")], "not sorted"),
        ([("a", "1"), ("a", "2")], "twice"),
        ([("", "1")], "empty"),
    ],
)
def test_labels_the_specification_forbids_are_named(
    pairs: list[tuple[str, str]], words: str
) -> None:
    labels = [V1["Label"](name=name, value=value) for name, value in pairs]
    batch = parsed_v1(V1["TimeSeries"](labels=labels, samples=[V1["Sample"](timestamp=T)]))
    with pytest.raises(ValueError, match=words):
        batch.columns.labels_of(batch.columns.series[0])


def test_version_two_says_the_same() -> None:
    request = RequestV2()
    metadata = {"type": 1, "help_ref": request.ref("Served."), "unit_ref": request.ref("")}
    labels = request.refs(name="requests_total", job="a")
    request.add(
        labels_refs=labels,
        samples=[V2["Sample"](value=2.5, timestamp=T)],
        metadata=V2["Metadata"](**metadata),
    )
    request.add(
        labels_refs=request.refs(name="up"), samples=[V2["Sample"](timestamp=T)], metadata={}
    )
    request.add(
        labels_refs=request.refs(name="started"),
        samples=[V2["Sample"](value=1.0, timestamp=T, start_timestamp=T - 60_000)],
    )
    request.add(
        labels_refs=request.refs(name="started"),
        samples=[V2["Sample"](timestamp=T + 1, start_timestamp=T - 60_000)],
    )
    request.add(
        labels_refs=request.refs(name="many"),
        samples=[V2["Sample"](timestamp=T, value=1), V2["Sample"](timestamp=T + 1, value=2)],
        created_timestamp=T - 5,
    )
    request.add(labels_refs=request.refs(name="h"), histograms=[native(start_timestamp=T - 1)])
    batch = remote_write_v2.parse(request.encoded())
    assert rows(batch) == [
        ({"__name__": "requests_total", "job": "a"}, T, 2.5, None, 0),
        ({"__name__": "up"}, T, 0.0, None, 0),
        ({"__name__": "started"}, T, 1.0, None, T - 60_000),
        ({"__name__": "started"}, T + 1, 0.0, None, T - 60_000),
        ({"__name__": "many"}, T, 1.0, None, T - 5),
        ({"__name__": "many"}, T + 1, 2.0, None, T - 5),
        ({"__name__": "h"}, T, 0.0, NATIVE, T - 1),
    ]
    assert batch.facts == (MetricFacts(name="requests_total", type="counter", help="Served."),)


def test_both_versions_give_a_series_one_token() -> None:
    request = RequestV2()
    request.add(labels_refs=request.refs(name="up", job="a"), samples=[V2["Sample"](timestamp=T)])
    two = remote_write_v2.parse(request.encoded())
    one = parsed_v1(series_v1([(T, 1.0)], name="up", job="a"))
    assert one.columns.series == two.columns.series
    assert one.columns.labels_of is two.columns.labels_of


def test_exemplars_of_version_two() -> None:
    request = RequestV2()
    exemplar = V2["Exemplar"](labels_refs=request.refs(trace_id="x"), value=1.0, timestamp=T)
    request.add(
        labels_refs=request.refs(name="up"),
        samples=[V2["Sample"](timestamp=T)],
        exemplars=[exemplar],
    )
    (found,) = remote_write_v2.parse(request.encoded()).exemplars
    assert found.labels == {"trace_id": "x"}


def test_what_version_two_forbids_is_refused_series_by_series() -> None:
    request = RequestV2()
    request.add(labels_refs=[1, 999], samples=[V2["Sample"](timestamp=T)])
    request.add(labels_refs=[1], samples=[V2["Sample"](timestamp=T)])
    request.add(labels_refs=request.refs(name="empty"))
    request.add(labels_refs=request.refs(name="up"), samples=[V2["Sample"](timestamp=T)])
    batch = remote_write_v2.parse(request.encoded())
    assert batch.refusals.count == 3
    assert [row[0] for row in rows(batch)] == [{"__name__": "up"}]


def test_symbols_must_begin_with_nothing() -> None:
    message = V2["Request"](symbols=["a"], timeseries=[{"labels_refs": [0, 0]}])
    with pytest.raises(MalformedError, match="empty string"):
        remote_write_v2.parse(message.SerializeToString())


def test_our_own_sender_is_understood() -> None:
    labels = encode_labels((("__name__", "up"), ("a", "b")))
    times, values = np.array([T, T + 1]), np.array([1.0, 2.0])
    sent = compressed(encode_series([labels], np.array([2]), times, values, {}))
    body = unpack(sent, "snappy", limit=1000, allowed=frozenset({"snappy"}))
    assert [row[1:3] for row in rows(remote_write.parse(body))] == [(T, 1.0), (T + 1, 2.0)]


names = st.text("abc_", min_size=1, max_size=4)
floats = st.floats(allow_nan=False) | st.just(0.0)
times = st.integers(-(2**62), 2**62) | st.integers(T, T + 10**9)
requests = st.lists(
    st.tuples(
        st.dictionaries(names, st.text(min_size=1, max_size=5), min_size=1, max_size=4),
        st.lists(st.tuples(times, floats, st.just(0) | times), max_size=3),
    ),
    max_size=6,
)


@given(requests)
@settings(max_examples=60)
def test_any_request_is_read_as_it_was_written(
    request: list[tuple[dict[str, str], list[tuple[int, float, int]]]],
) -> None:
    expected = [(labels, time, value) for labels, samples in request for time, value, _ in samples]
    one = V1["WriteRequest"]()
    two = RequestV2()
    for labels, samples in request:
        series = one.timeseries.add()
        for name in sorted(labels):
            series.labels.add(name=name, value=labels[name])
        for time, value, _ in samples:
            series.samples.add(timestamp=time, value=value)
        if samples:
            refs = [two.ref(t) for name in sorted(labels) for t in (name, labels[name])]
            message = two.add(labels_refs=refs)
            for time, value, start in samples:
                message.samples.add(timestamp=time, value=value, start_timestamp=start)
    assert [row[:3] for row in rows(remote_write.parse(one.SerializeToString()))] == expected
    found = rows(remote_write_v2.parse(two.encoded()))
    assert [row[:3] for row in found] == expected
    assert [row[4] for row in found] == [s for _, samples in request for _, _, s in samples]


@given(st.binary(max_size=200))
@settings(max_examples=300)
def test_garbage_is_malformed_and_never_a_crash(data: bytes) -> None:
    for parse in (remote_write.parse, remote_write_v2.parse):
        try:
            batch = parse(data)
        except MalformedError:
            continue
        for token in batch.columns.series:
            try:
                batch.columns.labels_of(token)
            except ValueError:
                continue


@given(st.integers(0, 10**6), st.integers(0, 255), st.booleans())
@settings(max_examples=300)
def test_a_damaged_request_is_malformed_or_read(at: int, byte: int, is_two: bool) -> None:
    request = RequestV2()
    labels = request.refs(name="up", job="a")
    exemplar = {"labels_refs": labels, "value": 1.0}
    request.add(
        labels_refs=labels,
        samples=[V2["Sample"](value=2.5, timestamp=T)],
        exemplars=[exemplar],
        metadata={"type": 2, "help_ref": 1},
    )
    request.add(labels_refs=labels, histograms=[native()])
    series = V1["TimeSeries"](labels=labels_v1(name="h"), histograms=[native()])
    one = V1["WriteRequest"](timeseries=[series, series_v1([(T, 1.0)], name="up")])
    data = bytearray(request.encoded() if is_two else one.SerializeToString())
    data[at % len(data)] = byte
    try:
        (remote_write_v2 if is_two else remote_write).parse(bytes(data))
    except MalformedError:
        return
