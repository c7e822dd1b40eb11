"""Faults in the standard size: a worker lost mid-flight, Redis emptied, two beats."""

import itertools
import json
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

pytestmark = [
    pytest.mark.faults,
    pytest.mark.services("postgres", "redis-server"),
    pytest.mark.timeout(500),
    pytest.mark.xdist_group("product"),
]
MONITORS = 20


@pytest.fixture
def servers() -> Iterator[tuple[str, str]]:
    with postgresql_server() as database_url, redis_server() as redis_url:
        yield database_url, redis_url


@pytest.fixture
def target() -> Iterator[Target]:
    with web_target() as target:
        yield target


def watch(product: Product, target: Target) -> None:
    """Watch the target with several monitors, every second."""
    documents = [
        f"""\
apiVersion: monitoring/v1
kind: Monitor
metadata: {{name: m{number}}}
spec: {{type: http, interval: 1s, timeout: 1s, config: {{url: "{target.url}"}}}}
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


def sample_times(product: Product) -> dict[str, list[int]]:
    """Return the sample times of every monitor's probe_success over the whole run."""
    answer = product.cli("query", "probe_success[10m]", "-o", "json")
    return {
        series["metric"]["monitor"]: [int(float(at) * 1000) for at, _ in series["values"]]
        for series in json.loads(answer)["result"]
    }


def test_a_worker_killed_mid_flight_loses_no_monitor_and_runs_no_slot_twice(
    tmp_path: Path, servers: tuple[str, str], target: Target
) -> None:
    database_url, redis_url = servers
    with standard_product(tmp_path, database_url=database_url, redis_url=redis_url) as product:
        watch(product, target)
        victim = product.processes["worker-0"].pid
        product.kill(product.pid_of("collector", "worker-0"))
        since = newest(product)
        until(lambda: fresh(product, since=since), "every monitor is checked again", timeout_s=90)
        assert psutil.pid_exists(victim)

        for monitor, times in sample_times(product).items():
            slots = sorted(times)
            assert len(slots) == len(set(slots)), monitor
            # Two checks of one slot would stand closer together than a slot is long.
            gaps = [after - before for before, after in itertools.pairwise(slots)]
            assert min(gaps) > 500, (monitor, gaps)


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
