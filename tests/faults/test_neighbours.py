"""A flood of one org, seen by another one: nothing fails, and the loud org is told to wait."""

import json
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http import HTTPStatus
from http.client import HTTPConnection, HTTPResponse
from typing import Any
from urllib.parse import urlencode

import psutil
import pytest

from detectviz.testing.product import Product, embedded_product, until

pytestmark = [
    pytest.mark.faults,
    pytest.mark.timeout(300),
]
SERIES_LIMIT = 500
QUERY_TIMEOUT_S = 8
SLACK_S = 30
WEB_GROWTH_MB = 250
DEATH = 'sum_over_time(quantile_over_time(0.9, {__name__=~".+"}[2h:5s])[6h:1s])'
# No data is needed for it to work for long.
LONG = "sum_over_time(quantile_over_time(0.9, vector(1)[2h:1s])[6h:1s])"


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    variables = {
        "DETECTVIZ_SERIES_MAX": str(SERIES_LIMIT),
        "DETECTVIZ_QUERY_TIMEOUT_S": str(QUERY_TIMEOUT_S),
    }
    with embedded_product(tmp_path_factory.mktemp("neighbours"), **variables) as running:
        yield running


@pytest.fixture(scope="module")
def keys(product: Product) -> dict[str, str]:
    for org in ("quiet", "loud"):
        product.cli("org", "create", org)
    return {
        org: product.cli("apikey", "create", "--org", org, "--role", "admin").split()[-1]
        for org in ("quiet", "loud")
    }


class Caller:
    """One org's program."""

    def __init__(self, product: Product, org: str, key: str) -> None:
        self._port = product.port
        self._root = f"/orgs/{org}/prometheus/api/v1"
        self._headers = {"Authorization": f"Bearer {key}"}

    def push(self, names: range) -> tuple[int, dict[str, str], bytes]:
        text = "".join(f'm{{id="{number}"}} 1\n' for number in names)
        return self._post("import/prometheus", text, "text/plain")

    def query(self, promql: str) -> tuple[int, dict[str, str], bytes]:
        return self._post("query", urlencode({"query": promql}), FORM)

    def _post(self, path: str, body: str, media: str) -> tuple[int, dict[str, str], bytes]:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=120)
        try:
            headers = {**self._headers, "Content-Type": media}
            connection.request("POST", f"{self._root}/{path}", body, headers)
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read()
        finally:
            connection.close()


FORM = "application/x-www-form-urlencoded"
Answers = list[tuple[int, dict[str, str], bytes]]


def flooded(ask: Callable[[int], Any], callers: int, meanwhile: Callable[[], None]) -> Answers:
    """Let ``ask`` run in threads, again and again, while ``meanwhile`` does."""
    answers: Answers = []
    is_over = threading.Event()

    def run(number: int) -> None:
        while not is_over.is_set():
            answers.append(ask(number))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(callers)]
    for thread in threads:
        thread.start()
    try:
        meanwhile()
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
    return answers


def all_is_well(quiet: Caller, rounds: int = 20) -> None:
    for _ in range(rounds):
        assert quiet.push(range(100))[0] == 204
        status, _, body = quiet.query("count(m)")
        assert (status, json.loads(body)["data"]["result"][0]["value"][1]) == (200, "100")


def web_mb(product: Product) -> float:
    return float(psutil.Process(product.pid_of("web")).memory_info().rss) / 1e6


def test_a_bomb_of_series_is_refused_and_the_neighbour_goes_on(
    product: Product, keys: dict[str, str]
) -> None:
    quiet, loud = (Caller(product, org, keys[org]) for org in ("quiet", "loud"))
    before_mb = web_mb(product)
    numbers = iter(range(10**9))

    def bomb(caller: int) -> Any:
        first = next(numbers) * 1000 + caller * 10**10
        return loud.push(range(first, first + 1000))

    answers = flooded(bomb, 4, lambda: all_is_well(quiet))
    refused = [headers for status, headers, _ in answers if status == 429]
    assert {status for status, _, _ in answers} <= {204, 429, 503}
    assert refused
    assert all("Retry-After" in headers or "retry-after" in headers for headers in refused)
    assert web_mb(product) < before_mb + WEB_GROWTH_MB


def test_queries_of_death_end_in_time_and_the_neighbour_goes_on(
    product: Product, keys: dict[str, str]
) -> None:
    quiet, loud = (Caller(product, org, keys[org]) for org in ("quiet", "loud"))
    before_mb = web_mb(product)
    took: list[float] = []

    def die(caller: int) -> Any:
        began = time.monotonic()
        answer = loud.query(LONG if caller % 2 else DEATH)
        took.append(time.monotonic() - began)
        return answer

    answers = flooded(die, 4, lambda: all_is_well(quiet))
    for status, _, body in answers:
        said = json.loads(body)
        assert status in {200, 422, 503}, said
        assert said["status"] == "error" or status == 200
    assert max(took) < 2 * (2 * QUERY_TIMEOUT_S) + SLACK_S  # two at a time, two wait
    assert web_mb(product) < before_mb + WEB_GROWTH_MB


def test_a_crowd_is_told_to_wait_in_prometheus_shape(
    product: Product, keys: dict[str, str]
) -> None:
    with ExitStack() as crowd:
        waiting = {crowd.enter_context(asking(product, "loud", keys["loud"])) for _ in range(80)}

        def turned_away() -> HTTPResponse | None:
            for asker in select.select(waiting, (), (), 1)[0]:
                waiting.remove(asker)
                response = HTTPResponse(asker)
                response.begin()
                if response.status == HTTPStatus.SERVICE_UNAVAILABLE:
                    return response
            return None

        response = until(turned_away, "somebody is turned away")
        said = json.loads(response.read())
    assert response.headers["retry-after"] == "5"
    assert said["errorType"] == "unavailable"
    assert "too many requests of this org" in said["error"]
    loud = Caller(product, "loud", keys["loud"])
    until(lambda: loud.query("1")[0] == HTTPStatus.OK, "the crowd has left")


def test_who_hangs_up_has_its_query_cancelled(product: Product, keys: dict[str, str]) -> None:
    before = cancelled(product)
    with asking(product, "quiet", keys["quiet"]):
        time.sleep(1)  # it is under way, in whichever process
    until(lambda: cancelled(product) > before, "the query has ended", timeout_s=QUERY_TIMEOUT_S)


def asking(product: Product, org: str, key: str) -> socket.socket:
    """Return a connection over which a long query has been asked."""
    body = urlencode({"query": LONG})
    head = (
        f"POST /orgs/{org}/prometheus/api/v1/query HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Authorization: Bearer {key}\r\nContent-Type: {FORM}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    )
    connection = socket.create_connection(("127.0.0.1", product.port))
    connection.sendall(head.encode())
    return connection


def cancelled(product: Product) -> float:
    status, text = product.call("GET", "/metrics")
    assert status == 200, text
    lines = text.decode().splitlines()
    name = 'detectviz_query_failures_total{error="QueryCancelledError"}'
    return sum(float(line.split()[-1]) for line in lines if line.startswith(name))
