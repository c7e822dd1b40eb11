"""The embedded product as its users start it: start, first result, memory, answer times.

One run on an empty folder: first start, a monitor applied and its first result, 1,000 monitors
(HTTP, 60 s, on loopback), what they take, how fast lists and the overview answer, second start.
Memory is the sum of the processes' proportional set sizes (PSS): shared pages count once.
"""

import re
import tempfile
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from statistics import quantiles
from typing import Final

import psutil

from detectviz.testing.product import ADMIN_PASSWORD, Product, bare_product, running, until
from detectviz.testing.receivers import Target, web_target
from tests.bench.table import Row, show

MONITORS: Final = 1_000
API: Final = "/apis/monitoring/v1/orgs/default/monitors"
CALLS: Final = 40
IDLE_S: Final = 5.0


def main() -> int:
    """Print the table, a row as soon as it is known."""
    show(measured())
    return 0


def measured() -> Iterator[Row]:
    """Run the product and yield what it does."""
    with tempfile.TemporaryDirectory(prefix="detectviz-bench-") as folder, web_target() as target:
        began = time.perf_counter()
        with bare_product(Path(folder)) as product:
            yield _seconds("first start, empty folder, to healthy", began, None)
            time.sleep(IDLE_S)
            yield Row(name="memory idle (PSS)", value=pss_mb(product), unit="MB", goal=200)
            yield first_result(product, target)
            yield from many_monitors(product, target)
        began = time.perf_counter()
        with running(product, "all"):
            yield _seconds(f"second start, {MONITORS} monitors, to healthy", began, 3.0)


def first_result(product: Product, target: Target) -> Row:
    """Measure from a PUT through the API to the first stored result."""
    assert product.key
    body = {"spec": {"type": "http", "interval": "60s", "config": {"url": target.url}}}
    began = time.perf_counter()
    status, answer = product.call("PUT", f"{API}/first", body)
    assert status in {200, 201}, answer
    until(lambda: product.get(f"{API}/first")["status"].get("last_check_at"), "a first result")
    return _seconds("monitor saved to first result", began, 1.0)


def many_monitors(product: Product, target: Target) -> Iterator[Row]:
    """Apply 1,000 monitors, wait until all were checked, and measure."""
    began = time.perf_counter()
    product.cli("apply", "-f", "-", stdin="---\n".join(_manifests(target)))
    yield _seconds("apply of 1,000 monitors (command line)", began, None)
    began = time.perf_counter()
    until(lambda: len(target.requests) >= MONITORS, "every monitor checked", timeout_s=60)
    yield _seconds("… and every one of them checked", began, 3.0)
    time.sleep(IDLE_S)
    yield Row(name="memory at 1,000 monitors (PSS)", value=pss_mb(product), unit="MB", goal=300)
    yield from latencies(
        "100 monitors through the API", 15, lambda: product.get(f"{API}?limit=100"), CALLS
    )
    page = signed_in(product)
    yield from latencies("overview with 1,000 monitors", 100, page, CALLS // 4)


def latencies(name: str, goal_ms: float, call: Callable[[], object], calls: int) -> list[Row]:
    """Time ``call`` as a client sees it, a new connection each time."""
    call()
    took = []
    for _ in range(calls):
        began = time.perf_counter()
        call()
        took.append((time.perf_counter() - began) * 1000)
    cuts = quantiles(took, n=20)
    return [
        Row(name=f"{name}, p50", value=cuts[9], unit="ms"),
        Row(name=f"{name}, p95", value=cuts[18], unit="ms", goal=goal_ms),
    ]


def signed_in(product: Product) -> Callable[[], object]:
    """Sign in as the administrator; return a call that fetches the overview."""
    _, cookies, text = _request(product, "GET", "/login", {}, "")
    found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', text)
    assert found is not None
    form = f"csrfmiddlewaretoken={found[1]}&username=admin&password={ADMIN_PASSWORD}"
    status, new, text = _request(product, "POST", "/login", cookies, form)
    assert status == 302, text
    cookies |= new

    def overview() -> None:
        status, _, text = _request(product, "GET", "/o/default/", cookies, "")
        assert status == 200, text

    return overview


def pss_mb(product: Product) -> float:
    """Return the PSS of the supervisor and its children in megabytes."""
    parent = psutil.Process(product.processes["all"].pid)
    family = [parent, *parent.children(recursive=True)]
    return float(sum(process.memory_full_info().pss for process in family)) / 1e6


def _request(
    product: Product, method: str, path: str, cookies: dict[str, str], form: str
) -> tuple[int, dict[str, str], str]:
    connection = HTTPConnection("127.0.0.1", product.port, timeout=30)
    headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
    if form:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    connection.request(method, path, body=form or None, headers=headers)
    response = connection.getresponse()
    text = response.read().decode()
    pairs = [line.split(";")[0].partition("=") for line in response.msg.get_all("Set-Cookie", [])]
    connection.close()
    return response.status, {name: value for name, _, value in pairs}, text


def _manifests(target: Target) -> list[str]:
    return [
        f"""\
apiVersion: monitoring/v1
kind: Monitor
metadata: {{name: m{number}}}
spec: {{type: http, interval: 60s, config: {{url: "{target.url}m{number}"}}}}
"""
        for number in range(MONITORS)
    ]


def _seconds(name: str, began: float, goal: float | None) -> Row:
    return Row(name=name, value=time.perf_counter() - began, unit="s", goal=goal)
