"""What one org's flood does to another one: the quiet org's answer times, alone and beside it.

The quiet org asks a small instant query and writes 100 samples at a steady pace. The loud one
pushes new series beyond its limit, or runs queries of death, as fast as it is answered, from a
program of low priority (it would be another machine). Phases alternate, so that the machine's
drift cancels out; the ratios compare all phases of a kind.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from statistics import quantiles
from typing import Final
from urllib.parse import urlencode

import psutil

from detectviz.testing.product import Product, embedded_product
from tests.bench.series_data import DataSet
from tests.bench.table import Row, show

ROUNDS: Final = 6
CALLS: Final = 60  # of each kind in a phase
PACE_S: Final = 0.02
SETTLE_S: Final = 1.5  # the flood has begun, its first request has been recognised
SERIES_LIMIT: Final = 4_000
CONNECTIONS: Final = {"bomb": 8, "death": 80}
GOAL: Final = 1.10


@dataclass(slots=True, kw_only=True)
class Times:
    """Milliseconds of the quiet org's requests."""

    query: list[float] = field(default_factory=list)
    write: list[float] = field(default_factory=list)


def main() -> int:
    """Print the table."""
    with (
        tempfile.TemporaryDirectory(prefix="detectviz-bench-") as folder,
        embedded_product(Path(folder), DETECTVIZ_SERIES_MAX=str(SERIES_LIMIT)) as product,
    ):
        show(measured(product))
    return 0


def measured(product: Product, rounds: int = ROUNDS) -> Iterator[Row]:
    """Alternate between the quiet org alone and the loud one beside it."""
    keys = {org: prepared(product, org) for org in ("quiet", "loud")}
    loaded(product, "loud", keys["loud"])
    quiet = Quiet(product, keys["quiet"])
    phases = {name: Times() for name in ("alone", *CONNECTIONS)}
    told: dict[str, Counter[str]] = {kind: Counter() for kind in CONNECTIONS}
    peak_mb = 0.0
    quiet.phase(Times())
    for _ in range(rounds):
        for kind in CONNECTIONS:
            quiet.phase(phases["alone"])
            with flood(product, "loud", keys["loud"], kind, told[kind]):
                time.sleep(SETTLE_S)
                quiet.phase(phases[kind])
                peak_mb = max(peak_mb, web_mb(product))
    for kind in CONNECTIONS:
        yield from _compared(kind, phases["alone"], phases[kind])
        sys.stdout.write(f"  the loud org was answered {dict(told[kind])}\n")
    yield Row(name="memory of the web process during floods", value=peak_mb, unit="MB")
    yield Row(name="load of the machine, 1 min", value=os.getloadavg()[0], unit="")


class Quiet:
    """The org that behaves: one connection, a steady pace."""

    def __init__(self, product: Product, key: str) -> None:
        self._connection = HTTPConnection("127.0.0.1", product.port, timeout=60)
        self._headers = {"Authorization": f"Bearer {key}"}
        self._form = {**self._headers, "Content-Type": "application/x-www-form-urlencoded"}

    def phase(self, times: Times, calls: int = CALLS) -> None:
        """Ask and write in turn."""
        for _ in range(calls):
            times.write.append(self._timed(self.write))
            times.query.append(self._timed(self.query))

    def write(self) -> None:
        """Push 100 samples of now."""
        text = "".join(f'small{{id="{number}"}} 1\n' for number in range(100))
        self._ask("/orgs/quiet/prometheus/api/v1/import/prometheus", text, self._headers)

    def query(self) -> None:
        """Ask for one sum."""
        path = "/orgs/quiet/prometheus/api/v1/query"
        self._ask(path, urlencode({"query": 'sum(small{id=~"1.?"})'}), self._form)

    def _ask(self, path: str, body: str, headers: dict[str, str]) -> None:
        self._connection.request("POST", path, body, headers)
        response = self._connection.getresponse()
        text = response.read()
        assert response.status in {200, 204}, text

    @staticmethod
    def _timed(call: object) -> float:
        assert callable(call)
        time.sleep(PACE_S)
        began = time.perf_counter()
        call()
        return (time.perf_counter() - began) * 1000


def prepared(product: Product, org: str) -> str:
    """Make an org; return a key."""
    product.cli("org", "create", org)
    made = product.cli("apikey", "create", "--org", org, "--role", "admin")
    return made.strip().splitlines()[-1]


def loaded(product: Product, org: str, key: str) -> None:
    """Give an org 2 hours of 3,000 series."""
    connection = HTTPConnection("127.0.0.1", product.port, timeout=60)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/x-protobuf"}
    headers["Content-Encoding"] = "snappy"
    end_ms = int(time.time() * 1000)
    data = DataSet(name="loud", hosts=60, hours=2, per_request=3000, end_ms=end_ms)
    for body in data.requests():
        connection.request("POST", f"/orgs/{org}/prometheus/api/v1/write", body, headers)
        response = connection.getresponse()
        text = response.read()
        assert response.status == 204, text
    connection.close()


@contextmanager
def flood(product: Product, org: str, key: str, kind: str, told: Counter[str]) -> Iterator[None]:
    """Let the loud org loose; what it was answered goes to ``told``."""
    arguments = [str(product.port), org, key, kind, str(CONNECTIONS[kind])]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.neighbours_child", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    try:
        yield
    finally:
        said, _ = process.communicate(timeout=60)
        told.update(json.loads(said))


def web_mb(product: Product) -> float:
    """Return what the web process holds."""
    return float(psutil.Process(product.pid_of("web")).memory_info().rss) / 1e6


def _compared(kind: str, alone: Times, beside: Times) -> Iterator[Row]:
    for what in ("query", "write"):
        before, after = (
            quantiles(getattr(alone, what), n=100),
            quantiles(getattr(beside, what), n=100),
        )
        yield Row(name=f"{what} alone, p50", value=before[49], unit="ms")
        yield Row(name=f"{what} alone, p99", value=before[98], unit="ms")
        yield Row(name=f"{what} beside {kind}, p50 ratio", value=after[49] / before[49], unit="x")
        ratio = after[98] / before[98]
        yield Row(name=f"{what} beside {kind}, p99 ratio", value=ratio, unit="x", goal=GOAL)
