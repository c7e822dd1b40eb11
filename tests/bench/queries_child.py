"""The measured half of ``bench_queries``: prints its result as JSON."""

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import django

django.setup()

import orjson  # noqa: E402 - after setup
import psycopg  # noqa: E402 - after setup
import pymysql  # noqa: E402 - after setup
from django.db import connection  # noqa: E402 - after setup
from django.test import Client  # noqa: E402 - after setup

from apps.datasources.models import Datasource  # noqa: E402 - after setup
from tests.factories.accounts import (  # noqa: E402 - after setup
    make_api_key,
    make_bound_member,
    make_full_org,
)

AT_ONCE, ROUNDS = 50, 8
POSTGRESQL = urlsplit(os.environ["BENCH_POSTGRESQL"])  # noqa: TID251 - handed on by the parent
MARIADB_PORT = int(os.environ["BENCH_MARIADB"])  # noqa: TID251 - handed on by the parent
SQL = {
    "postgresql": "SELECT n, n * 2 AS twice, 'row ' || n AS name FROM generate_series(1, 100) n",
    "mysql": "SELECT seq AS n, seq * 2 AS twice, CONCAT('row ', seq) AS name FROM seq_1_to_100",
}
Ask = Callable[[], None]


def quantiles(make: Callable[[], Ask]) -> dict[str, float]:
    """Ask from 50 threads at the same moment, again and again; return milliseconds."""
    took: list[float] = []
    barrier = threading.Barrier(AT_ONCE)

    def run() -> None:
        ask = make()
        ask()  # connected, loaded
        for _ in range(ROUNDS):
            barrier.wait(60)
            began = time.perf_counter()
            ask()
            took.append((time.perf_counter() - began) * 1000)
        connection.close()

    threads = [threading.Thread(target=run) for _ in range(AT_ONCE)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    took.sort()
    return {"p50": took[len(took) // 2], "p95": took[int(len(took) * 0.95)]}


def service(token: str, name: str) -> Ask:
    """Return what asks through REST."""
    client = Client(headers={"Authorization": f"Bearer {token}"})
    body = orjson.dumps({"queries": [{"ref_id": "A", "sql": SQL[name]}]})
    path = f"/apis/datasources/v1/orgs/bench/datasources/{name}/query"

    def ask() -> None:
        response = client.post(path, body, content_type="application/json")
        outcome = orjson.loads(response.content)["results"]["A"]
        assert outcome["status"] == 200, outcome
        assert outcome["frames"][0]["rows"] == 100

    return ask


def postgresql_driver() -> Ask:
    """Return what asks with psycopg alone."""
    session = psycopg.connect(POSTGRESQL.geturl(), autocommit=True)

    def ask() -> None:
        assert len(orjson.dumps(session.execute(SQL["postgresql"].encode()).fetchall())) > 1

    return ask


def mysql_driver() -> Ask:
    """Return what asks with pymysql alone."""
    session = pymysql.connect(
        host="127.0.0.1", port=MARIADB_PORT, user="bench", password="bench-secret", database="bench"
    )  # fmt: skip

    def ask() -> None:
        with session.cursor() as cursor:
            cursor.execute(SQL["mysql"])
            assert len(orjson.dumps(cursor.fetchall())) > 1

    return ask


def main() -> None:
    """Measure both databases."""
    org = make_full_org("bench")
    key = make_api_key(org, make_bound_member(org, "bench", "operator"))
    Datasource.objects.create_for(
        org, name="postgresql", type="postgresql", database="test", user=POSTGRESQL.username or "",
        url=f"127.0.0.1:{POSTGRESQL.port}",
    )  # fmt: skip
    Datasource.objects.create_for(
        org, name="mysql", type="mysql", database="bench", user="bench",
        url=f"127.0.0.1:{MARIADB_PORT}", secure_json_data={"password": "bench-secret"},
    )  # fmt: skip
    found = {}
    for name, driver in (("postgresql", postgresql_driver), ("mysql", mysql_driver)):
        alone = quantiles(driver)
        through = quantiles(lambda name=name: service(key.token, name))  # type: ignore[misc]  # bound now
        found[name] = (through, alone)
    sys.stdout.write(json.dumps(found))


main()
