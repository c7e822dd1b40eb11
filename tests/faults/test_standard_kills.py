"""Faults in the standard size: a worker lost mid-flight, Redis emptied, two beats."""

import json
import math
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import redis

from detectviz.testing.databases import postgresql_server
from detectviz.testing.product import Product, running, standard_product, until
from detectviz.testing.receivers import Target, web_target
from detectviz.testing.redis import redis_server
from detectviz.testing.services import stop_process

pytestmark = [
    pytest.mark.faults,
    pytest.mark.services("postgres", "redis-server"),
    pytest.mark.timeout(500),
]
MONITORS = 20
INTERVAL_S = 2


@pytest.fixture
def servers() -> Iterator[tuple[str, str]]:
    with postgresql_server() as database_url, redis_server() as redis_url:
        yield database_url, redis_url


@pytest.fixture
def target() -> Iterator[Target]:
    with web_target() as target:
        yield target


def watch(product: Product, target: Target, *, interval_s: int = 1) -> None:
    """Watch the target with several monitors, each on a path of its own."""
    documents = [
        f"""\
apiVersion: monitoring/v1
kind: Monitor
metadata: {{name: m{number}}}
spec: {{type: http, interval: {interval_s}s, timeout: 1s, config: {{url: "{target.url}m{number}"}}}}
"""
        for number in range(MONITORS)
    ]
    product.cli("apply", "-f", "-", stdin="---\n".join(documents))
    until(lambda: fresh(product, since=""), "every monitor was checked", timeout_s=120)


def fresh(product: Product, *, since: str) -> bool:
    """Say whether every monitor was checked after ``since`` (ISO time)."""
    items = product.get("/apis/monitoring/v1/orgs/default/monitors")["items"]
    checked = [item["status"].get("last_check_at") or "" for item in items]
    return len(checked) == MONITORS and all(moment > since for moment in checked)


def newest(product: Product) -> str:
    items = product.get("/apis/monitoring/v1/orgs/default/monitors")["items"]
    return str(max(item["status"]["last_check_at"] for item in items))


def stored(product: Product) -> dict[str, int]:
    """Return how many successful checks of every monitor were stored over the whole run."""
    answer = json.loads(product.cli("query", "probe_success[10m]", "-o", "json"))
    return {
        series["metric"]["monitor"]: sum(value == "1" for _, value in series["values"])
        for series in answer["result"]
    }


def test_a_worker_killed_mid_flight_loses_no_monitor_and_runs_no_slot_twice(
    tmp_path: Path, servers: tuple[str, str], target: Target
) -> None:
    database_url, redis_url = servers
    with standard_product(tmp_path, database_url=database_url, redis_url=redis_url) as product:
        watch(product, target, interval_s=INTERVAL_S)
        before = newest(product)
        until(lambda: fresh(product, since=before), "both workers are at work")
        product.kill(product.pid_of("collector", "worker-0"))
        since = newest(product)
        until(lambda: fresh(product, since=since), "every monitor is checked again", timeout_s=90)
        for name in ("worker-0", "worker-1"):
            stop_process(product.processes[name], timeout_s=40)  # nothing is in flight any more

        found = stored(product)
        for number in range(MONITORS):
            checks = target.requests[f"/m{number}"]
            assert_each_slot_once(checks)
            # Of a kill at most the one check survives unstored that was on its way.
            assert 0 <= len(checks) - found[f"m{number}"] <= 1


def assert_each_slot_once(checks: list[float]) -> None:
    """Check the times of requests against the grid of slots.

    Besides one check a slot there is the first, when the monitor was made, and the one that makes
    up for what the killed collector had begun.
    """
    slots = math.floor((checks[-1] - checks[0]) / INTERVAL_S) + 1
    assert len(checks) <= slots + 2


def test_an_emptied_redis_costs_nothing(
    tmp_path: Path, servers: tuple[str, str], target: Target
) -> None:
    database_url, redis_url = servers
    with standard_product(
        tmp_path, database_url=database_url, redis_url=redis_url, workers=1
    ) as product:
        watch(product, target)
        with redis.Redis.from_url(redis_url) as client:
            for _ in range(5):
                client.flushall()
                time.sleep(0.2)
        since = newest(product)
        until(lambda: fresh(product, since=since), "checks go on after the flush", timeout_s=60)


def test_of_two_beats_one_ticks_and_the_other_takes_over(
    tmp_path: Path, servers: tuple[str, str], target: Target
) -> None:
    database_url, redis_url = servers
    with (
        standard_product(
            tmp_path, database_url=database_url, redis_url=redis_url, workers=1
        ) as product,
        running(product, "beat", "beat-2"),
    ):
        watch(product, target)
        holder = lease(product)
        time.sleep(5)
        assert lease(product) == holder

        for name in ("beat", "beat-2"):
            pid = product.pid_of("beat", name)
            if f":{pid}:" in holder:
                parent = psutil.Process(product.processes[name].pid)
                parent.suspend()  # or it would simply start a new one
                product.kill(pid)
        until(lambda: lease(product) not in {"", holder}, "the other beat holds the lease")
        since = newest(product)
        until(lambda: fresh(product, since=since), "checks go on", timeout_s=60)
        for name in ("beat", "beat-2"):
            psutil.Process(product.processes[name].pid).resume()


def lease(product: Product) -> str:
    """Return the holder of the beat lease, as readiness tells it."""
    answer = product.call("GET", "/readyz")[1]
    scheduler = next(item for item in answer["components"] if item["name"] == "scheduler")
    return str(scheduler["message"]) if scheduler["is_ok"] else ""
