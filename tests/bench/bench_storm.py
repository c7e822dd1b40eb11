"""A storm: 100,000 alerts posted as fast as they are taken, in 100 groups, told to one webhook.

The same alerts, configuration and receiver for Alertmanager and for the embedded product, each on
empty data; CPU is that of all its processes. Then the product's answers with all of them firing.
"""

import json
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Final

import psutil

from detectviz.testing.product import Product, embedded_product
from detectviz.testing.services import (
    find_program,
    free_port,
    http_is_ready,
    port_is_open,
    run_server,
)
from tests.bench.bench_product import latencies, signed_in
from tests.bench.table import Row, show

ALERTS: Final = 100_000
GROUPS: Final = 100
AT_ONCE: Final = 1_000  # alerts of one request
GOAL_S: Final = 10.0
LONGEST_S: Final = 300.0
GROUPING: Final = {
    "group_by": ["cluster"],
    "group_wait": "1s",
    "group_interval": "5s",
    "repeat_interval": "4h",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Storm:
    """What one side took."""

    taken_s: float
    told_s: float
    cpu_s: float


def main() -> int:
    """Print the table."""
    show(measured())
    return 0


def measured() -> Iterator[Row]:
    """Measure the peer, then ours."""
    peer = alertmanager_storm()
    if peer is not None:
        yield Row(name="Alertmanager: 100,000 alerts posted", value=peer.taken_s, unit="s")
        yield Row(name="Alertmanager: all of them told", value=peer.told_s, unit="s")
        yield Row(name="Alertmanager: CPU", value=peer.cpu_s, unit="s")
    with (
        tempfile.TemporaryDirectory(prefix="detectviz-bench-") as folder,
        receiver() as seen,
        embedded_product(Path(folder)) as product,
    ):
        _configure(product, seen.url)
        path = "/orgs/default/alertmanager/api/v2/alerts"
        headers = {"Authorization": f"Bearer {product.key}"}
        ours = _storm(path, product.port, headers, product.processes["all"].pid, seen)
        yield Row(name="100,000 alerts posted", value=ours.taken_s, unit="s", goal=GOAL_S)
        yield Row(name="… and all of them told", value=ours.told_s, unit="s", goal=GOAL_S)
        yield Row(name="… CPU of all processes", value=ours.cpu_s, unit="s")
        if peer is not None:
            ratio = ours.told_s / peer.told_s
            yield Row(name="… told / Alertmanager's", value=ratio, unit="x")
        yield from _answers(product)


def _answers(product: Product) -> Iterator[Row]:
    """Time lists and the overview while everything fires."""
    yield from latencies(
        "100 of 100,000 alerts through the API",
        200,
        lambda: product.get("/apis/alerting/v1/orgs/default/alerts?limit=100"),
        10,
    )
    yield from latencies("overview with 100,000 alerts", 500, signed_in(product), 10)


@dataclass(frozen=True, slots=True)
class Receiver:
    """The webhook of a storm."""

    port: int

    @property
    def url(self) -> str:
        """Where to post."""
        return f"http://127.0.0.1:{self.port}/hook"

    def alerts(self) -> int:
        """Return how many alerts it was told about."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("GET", "/")
        answer = json.loads(connection.getresponse().read())
        connection.close()
        return int(answer["alerts"])


@contextmanager
def receiver() -> Iterator[Receiver]:
    """Run the receiver."""
    port = free_port()
    argv = [sys.executable, "-m", "tests.bench.storm_receiver", str(port)]
    with run_server(argv, ready=lambda: port_is_open(port)):
        yield Receiver(port)


def alertmanager_storm() -> Storm | None:
    """Let Alertmanager take the storm; None where it is missing."""
    program = find_program("prometheus-alertmanager", "alertmanager")
    if program is None:
        return None
    with tempfile.TemporaryDirectory(prefix="detectviz-bench-") as folder, receiver() as seen:
        port, home = free_port(), Path(folder)
        config = {
            "route": {"receiver": "hook", **GROUPING},
            "receivers": [
                {"name": "hook", "webhook_configs": [{"url": seen.url, "max_alerts": 1000}]}
            ],
        }
        (home / "alertmanager.yml").write_text(json.dumps(config), encoding="utf-8")
        argv = [
            program,
            f"--config.file={home}/alertmanager.yml",
            f"--storage.path={home}/data",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",
            "--log.level=error",
        ]
        with run_server(argv, ready=lambda: http_is_ready(port)) as process:
            return _storm("/api/v2/alerts", port, {}, process.pid, seen)


def _storm(path: str, port: int, headers: Mapping[str, str], pid: int, seen: Receiver) -> Storm:
    """Post every alert and wait until the receiver heard of all."""
    bodies = list(_bodies())
    before, began = _cpu_s(pid), time.perf_counter()
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    for body in bodies:
        connection.request(
            "POST", path, body=body, headers={"Content-Type": "application/json", **headers}
        )
        response = connection.getresponse()
        answer = response.read()
        assert response.status == 200, (response.status, answer[:500])
    connection.close()
    taken_s = time.perf_counter() - began
    while (told := seen.alerts()) < ALERTS:
        assert time.perf_counter() - began < LONGEST_S, f"only {told} alerts told"
        time.sleep(0.1)
    return Storm(taken_s=taken_s, told_s=time.perf_counter() - began, cpu_s=_cpu_s(pid) - before)


def _bodies() -> Iterator[bytes]:
    now = datetime.now(UTC).isoformat()
    for start in range(0, ALERTS, AT_ONCE):
        yield json.dumps([_alert(number, now) for number in range(start, start + AT_ONCE)]).encode()


def _alert(number: int, now: str) -> dict[str, Any]:
    return {
        "labels": {
            "alertname": f"Down{number % 50}",
            "cluster": f"c{number % GROUPS}",
            "instance": f"host-{number}",
            "severity": "critical",
        },
        "annotations": {"summary": f"host-{number} does not answer"},
        "startsAt": now,
    }


def _cpu_s(pid: int) -> float:
    parent = psutil.Process(pid)
    times = [one.cpu_times() for one in (parent, *parent.children(recursive=True))]
    return float(sum(one.user + one.system for one in times))


def _configure(product: Product, url: str) -> None:
    config = {"url": url, "max_alerts": 1000}
    point = {
        "apiVersion": "notifications/v1",
        "kind": "ContactPoint",
        "metadata": {"name": "hook"},
        "spec": {"receivers": [{"notifier": "webhook", "config": config}]},
    }
    tree = {
        "apiVersion": "notifications/v1",
        "kind": "RoutingTree",
        "metadata": {"name": "default"},
        "spec": {"contact_point": "hook", **GROUPING, "routes": []},
    }
    product.cli("apply", "-f", "-", stdin="\n---\n".join(json.dumps(one) for one in (point, tree)))
