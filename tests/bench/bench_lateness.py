"""A thousand rules, each every 10 s, in the embedded product: how late their groups begin."""

import os
import re
import tempfile
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Final

import psutil

from detectviz.testing.product import Product, embedded_product
from tests.bench.table import Row, show

GROUPS: Final = 100
RULES: Final = 10  # of each group
INTERVAL_S: Final = 10
SETTLE_S: Final = 20.0
WATCH_S: Final = 60.0
GOAL_S: Final = 1.0
PUSH: Final = "/orgs/default/prometheus/api/v1/import/prometheus"
_BUCKET = re.compile(  # noqa: TID251 - our own constant
    r'detectviz_scheduler_lateness_seconds_bucket\{le="([^"]+)",scheduler="rules"\} (\S+)'
)


def main() -> int:
    """Print the table."""
    show(measured())
    return 0


def measured() -> Iterator[Row]:
    """Let the rules run for a minute and tell how late they were and what they cost."""
    with (
        tempfile.TemporaryDirectory(prefix="detectviz-bench-") as folder,
        embedded_product(Path(folder)) as product,
    ):
        _push(product)
        product.cli("apply", "-f", "-", stdin=_manifests())
        time.sleep(SETTLE_S)
        control = psutil.Process(product.pid_of("control"))
        before, cpu = _buckets(product), _cpu_s(control)
        time.sleep(WATCH_S)
        after, used_s = _buckets(product), _cpu_s(control) - cpu
    counts = {bound: after[bound] - before.get(bound, 0) for bound in after}
    begun = counts[float("inf")]
    what = f"{GROUPS * RULES} rules every {INTERVAL_S} s"
    yield Row(name=f"{what}, groups begun late, p99", value=_p99(counts), unit="s", goal=GOAL_S)
    yield Row(
        name="groups begun, of those planned", value=begun * INTERVAL_S / WATCH_S / GROUPS, unit=""
    )
    yield Row(name="CPU of the evaluating process", value=used_s / WATCH_S, unit="cores")
    yield Row(name="load of the machine (1 min)", value=os.getloadavg()[0], unit="")


def _p99(counts: dict[float, float]) -> float:
    """Return the upper bound of the bucket the 99th percentile is in: it was not later."""
    wanted = 0.99 * counts[float("inf")]
    return next(bound for bound in sorted(counts) if counts[bound] >= wanted)


def _buckets(product: Product) -> dict[float, float]:
    status, text = product.call("GET", "/metrics")
    assert status == 200, text
    return {float(le): float(count) for le, count in _BUCKET.findall(text.decode())}


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _push(product: Product) -> None:
    lines = [
        f'level{{group="{group}",item="{item}"}} 1' for group in range(GROUPS) for item in range(10)
    ]
    connection = HTTPConnection("127.0.0.1", product.port, timeout=30)
    headers = {"Authorization": f"Bearer {product.key}", "Content-Type": "text/plain"}
    connection.request("POST", PUSH, "\n".join([*lines, ""]), headers)
    response = connection.getresponse()
    answer = response.read()
    connection.close()
    assert response.status == 204, answer


def _manifests() -> str:
    documents = []
    for group in range(GROUPS):
        rules = ", ".join(
            f"{{alert: High{rule}, expr: 'level{{group=\"{group}\"}} > {rule + 1}', for: 1m}}"
            for rule in range(RULES)
        )
        documents.append(
            f"apiVersion: alerting/v1\nkind: RuleGroup\nmetadata: {{name: group-{group}}}\n"
            f"spec: {{interval: {INTERVAL_S}s, rules: [{rules}]}}\n"
        )
    return "---\n".join(documents)
