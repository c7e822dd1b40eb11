"""What a Prometheus that federates from us reads."""

from typing import Any

import pytest

from detectviz.clock import to_ms, utc_now
from detectviz.tsdb.interface import STALE_NAN
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
