"""Divided workers in real processes: shards are shared out; those of a killed one move."""

import json
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest

from detectviz.composition.loading import BUILT_IN
from detectviz.testing.databases import postgresql_server
from detectviz.testing.product import Product, running, standard_product, until
from detectviz.testing.receivers import web_target
from detectviz.testing.redis import redis_server

pytestmark = [
    pytest.mark.faults,
    pytest.mark.timeout(400),
    pytest.mark.services("redis-server", "postgres"),
]
MONITORS, SHARDS = 16, 8
HELD = (
    "SELECT owner, count(*) FROM runtime_lease WHERE name LIKE 'collect:default:%' "
    "AND expires_at > now() GROUP BY owner"
)


def composition(folder: Path) -> Path:
    """Write the built-in one with few shards and the embedded series store."""
    text = (BUILT_IN / "distributed" / "composition.yaml").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if "type: victoriametrics" not in line]
    text = "\n".join(lines).replace("[database, redis, series]", "[database, redis]")
    text = text.replace("tsdb: {type: remote, driver: series}", "tsdb: {type: embedded}")
    path = folder / "composition.yaml"
    path.write_text(text.replace("shards: 64", f"shards: {SHARDS}"), encoding="utf-8")
    return path


def monitors(url: str) -> str:
    return "\n---\n".join(
        f"""\
apiVersion: monitoring/v1
kind: Monitor
metadata: {{name: home-{number}}}
spec: {{type: http, interval: 1s, timeout: 1s, config: {{url: "{url}"}}}}"""
        for number in range(MONITORS)
    )


def checked_lately(product: Product) -> int:
    answer = product.cli("query", "count(count_over_time(probe_success[5s]) >= 3)", "-o", "json")
    result: list[Any] = json.loads(answer)["result"]
    return int(float(result[0]["value"][1])) if result else 0


def test_shards_are_shared_out_and_move_when_a_worker_is_killed(tmp_path: Path) -> None:
    with ExitStack() as stack:
        database = stack.enter_context(postgresql_server())
        redis_url = stack.enter_context(redis_server())
        target = stack.enter_context(web_target())
        product = stack.enter_context(
            standard_product(
                tmp_path,
                database_url=database,
                redis_url=redis_url,
                workers=0,
                DETECTVIZ_COMPOSITION=str(composition(tmp_path)),
            )
        )
        for name in ("one", "two"):
            pool = ("--pool", "collect")
            stack.enter_context(running(product, "worker", f"collect-{name}", arguments=pool))
        product.cli("apply", "-f", "-", stdin=monitors(target.url))

        def shares() -> list[int]:
            with psycopg.connect(database) as connection:
                held: dict[str, int] = defaultdict(int, connection.execute(HELD).fetchall())
            return sorted(held.values())

        until(lambda: shares() == [SHARDS // 2] * 2, "each holds half")
        until(lambda: checked_lately(product) == MONITORS, "all are checked by the two")
        product.kill(product.pid_of("collector", "collect-one"))
        product.kill(product.processes["collect-one"].pid)

        until(lambda: shares() == [SHARDS], "one holds all")
        until(lambda: checked_lately(product) == MONITORS, "all are checked by the one")
