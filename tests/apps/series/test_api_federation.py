"""What a Prometheus that federates from us reads."""

from dataclasses import replace
from typing import Any

import pytest

from detectviz.clock import to_ms, utc_now
from detectviz.contracts.exposition.protobuf import parse_protobuf
from detectviz.contracts.exposition.result import MetricType
from detectviz.contracts.exposition.series import labels_of
from detectviz.contracts.histograms import CounterReset, Histogram
from detectviz.tsdb.interface import STALE_NAN, Sample
from tests.factories.queries import Asker


def put_now(asker: Asker, value: float, age_s: float = 1, **labels: str) -> int:
    at_ms = to_ms(utc_now()) - round(age_s * 1000)
    asker.put(value, at_s=at_ms / 1000, **labels)
    return at_ms


def test_the_newest_samples_are_written_with_their_times(asker: Asker) -> None:
    put_now(asker, 1, age_s=30, job='a"\\\n')
    at_ms = put_now(asker, 2.5, age_s=2, job='a"\\\n')
    other_ms = put_now(asker, float("inf"), __name__="z", instance="i")
    put_now(asker, 1, age_s=400, job="old")
    response = asker.send("get", "federate", match=["up", '{__name__="z"}', "{job!=''}"])
    assert response["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert response.content.decode() == (
        "# TYPE up untyped\n"
        f'up{{instance="",job="a\\"\\\\\\n"}} 2.5 {at_ms}\n'
        "# TYPE z untyped\n"
        f'z{{instance="i"}} +Inf {other_ms}\n'
    )


def test_what_is_stale_is_left_out(asker: Asker) -> None:
    put_now(asker, 1, age_s=30)
    put_now(asker, STALE_NAN)
    assert asker.send("get", "federate", match="up").content == b""


def test_openmetrics_comes_when_it_is_preferred(asker: Asker) -> None:
    at_ms = put_now(asker, 1)
    accept = "application/openmetrics-text;version=1.0.0;q=0.5, text/plain;version=0.0.4;q=0.3"
    address = f"/orgs/{asker.org.name}/prometheus/federate"
    response = asker.client.get(address, {"match[]": "up"}, headers={"Accept": accept})
    assert response["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    expected = f'# TYPE up unknown\nup{{instance=""}} 1 {at_ms / 1000}\n# EOF\n'
    assert response.content.decode() == expected


@pytest.mark.parametrize(
    ("accept", "line"),
    [
        ("text/plain;version=1.0.0;escaping=allow-utf-8", '{"my.metric","a.b"="x",instance=""} 1'),
        ("text/plain", 'my_metric{a_b="x",instance=""} 1'),
    ],
)
def test_names_are_escaped_unless_utf8_is_allowed(asker: Asker, accept: str, line: str) -> None:
    dotted: dict[str, Any] = {"__name__": "my.metric", "a.b": "x"}
    put_now(asker, 1, **dotted)
    address = f"/orgs/{asker.org.name}/prometheus/federate"
    selector = {"match[]": '{"my.metric"}'}
    response = asker.client.get(address, selector, headers={"Accept": accept})
    assert line in response.content.decode()


def test_without_a_selector_nothing_is_federated(asker: Asker) -> None:
    assert asker.send("get", "federate").status_code == 400


PROTOBUF = (
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
)
FULL = Histogram(
    count=7.5,
    sum=-3.25,
    schema=-1,
    zero_threshold=0.001,
    zero_count=0.5,
    positive_spans=((-2, 1), (3, 2)),
    positive=(1, 2, 1),
    negative_spans=((1, 1),),
    negative=(3,),
)
EMPTY = Histogram(count=0, sum=0, counter_reset=CounterReset.GAUGE)


def test_protobuf_carries_native_histograms_too(asker: Asker) -> None:
    at_ms = put_now(asker, 2.5, job="a")
    stored = {"full": FULL, "empty": EMPTY, "custom": Histogram(count=1, sum=1, schema=-53)}
    for name, histogram in stored.items():
        labels = {"__name__": name, "job": "a"}
        nan = float("nan")
        asker.store.append(asker.org.uid, [Sample(labels, at_ms, nan, histogram=histogram)])
    address = f"/orgs/{asker.org.name}/prometheus/federate"
    everything = {"match[]": '{job="a"}'}
    accept = f"{PROTOBUF};q=0.6,application/openmetrics-text;q=0.5,*/*;q=0.1"
    response = asker.client.get(address, everything, headers={"Accept": accept})
    assert response["Content-Type"].replace(" ", "") == PROTOBUF
    read = parse_protobuf(response.content)
    assert read.histograms is not None
    assert read.timestamps_ms is not None
    assert set(read.timestamps_ms.tolist()) == {at_ms}
    names = [labels_of(read.series[owner])["__name__"] for owner in read.owners.tolist()]
    found = dict(zip(names, read.histograms.tolist(), strict=True))
    marked = replace(EMPTY, positive_spans=((0, 0),))  # what says that it is a native one
    assert found == {"up": None, "full": FULL, "empty": marked}
    assert read.values[names.index("up")] == 2.5
    assert {name: one.type for name, one in read.metadata.items()} == {
        "up": MetricType.UNKNOWN,
        "full": MetricType.HISTOGRAM,
        "empty": MetricType.GAUGE_HISTOGRAM,
    }
    text = asker.client.get(address, everything).content.decode()
    assert "up{" in text
    assert "full" not in text


def test_protobuf_that_is_not_delimited_is_not_answered(asker: Asker) -> None:
    put_now(asker, 1)
    address = f"/orgs/{asker.org.name}/prometheus/federate"
    accept = "application/vnd.google.protobuf;encoding=text"
    response = asker.client.get(address, {"match[]": "up"}, headers={"Accept": accept})
    assert response["Content-Type"].startswith("text/plain")
