"""From a pushed sample to the first attempt to tell somebody, in the embedded product.

Each alert is a group of its own; its clock starts before the sample is sent and ends when the
receiver is called. The goal is interval + ``for`` + ``group_wait`` + 2 s at the 99th percentile.
"""

import os
import random
import tempfile
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from statistics import median, quantiles
from typing import Final

from detectviz.testing.product import Product, embedded_product, until
from detectviz.testing.receivers import Hook, webhook_receiver
from tests.bench.table import Row, show

ALERTS: Final = 60  # of each rule
SPACING_S: Final = 0.5
CASES: Final = (("Fast", 1, 0), ("Slow", 5, 1))  # alertname, interval and group_wait in seconds
MARGIN_S: Final = 2.0
PUSH: Final = "/orgs/default/prometheus/api/v1/import/prometheus"


def main() -> int:
    """Print the table."""
    show(measured())
    return 0


def measured() -> Iterator[Row]:
    """Push the samples and tell how long each rule's alerts took."""
    with (
        tempfile.TemporaryDirectory(prefix="detectviz-bench-") as folder,
        webhook_receiver() as hook,
        embedded_product(Path(folder)) as product,
    ):
        product.cli("apply", "-f", "-", stdin=_manifests(hook))
        _push(product, "\n".join(f'level_{name}{{item="first"}} 1' for name, _, _ in CASES))
        until(lambda: len(hook.calls) == len(CASES), "the rules are at work")
        pushed = _push_all(product)
        until(lambda: len(hook.calls) >= len(CASES) * (ALERTS + 1), "all are told", timeout_s=120)
    told = {
        (body["groupLabels"]["alertname"], body["groupLabels"]["item"]): at
        for (_, body), at in zip(hook.calls, hook.times, strict=True)
    }
    for name, interval_s, wait_s in CASES:
        took = [told[name, item] - at for item, at in pushed.items()]
        what = f"sample to attempt, interval {interval_s} s, group_wait {wait_s} s"
        worst = quantiles(took, n=100, method="inclusive")[98]
        yield Row(name=f"{what}, median", value=median(took), unit="s")
        goal_s = interval_s + wait_s + MARGIN_S
        yield Row(name=f"{what}, p99", value=worst, unit="s", goal=goal_s)
    yield Row(name="load of the machine (1 min)", value=os.getloadavg()[0], unit="")


def _push_all(product: Product) -> dict[str, float]:
    """Push one sample for each rule at a time; return when each item was sent (Unix seconds)."""
    pushed: dict[str, float] = {}
    for number in range(ALERTS):
        time.sleep(random.uniform(0.5, 1.5) * SPACING_S)
        item = f"item-{number}"
        pushed[item] = time.time()
        _push(product, "\n".join(f'level_{name}{{item="{item}"}} 1' for name, _, _ in CASES))
    return pushed


def _push(product: Product, text: str) -> None:
    connection = HTTPConnection("127.0.0.1", product.port, timeout=30)
    headers = {"Authorization": f"Bearer {product.key}", "Content-Type": "text/plain"}
    connection.request("POST", PUSH, f"{text}\n", headers)
    response = connection.getresponse()
    answer = response.read()
    connection.close()
    assert response.status == 204, answer


def _manifests(hook: Hook) -> str:
    rules = "\n".join(
        f"""\
---
apiVersion: alerting/v1
kind: RuleGroup
metadata: {{name: {name.lower()}}}
spec:
  interval: {interval_s}s
  rules: [{{alert: {name}, expr: level_{name} > 0, for: 0s}}]"""
        for name, interval_s, _ in CASES
    )
    routes = ", ".join(
        f"{{matchers: ['alertname=\"{name}\"'], contact_point: hook, group_wait: {wait_s}s}}"
        for name, _, wait_s in CASES
    )
    return f"""\
apiVersion: notifications/v1
kind: ContactPoint
metadata: {{name: hook}}
spec: {{receivers: [{{notifier: webhook, config: {{url: "{hook.url}"}}}}]}}
---
apiVersion: notifications/v1
kind: RoutingTree
metadata: {{name: default}}
spec:
  contact_point: ""
  group_by: [alertname, item]
  group_interval: 5s
  repeat_interval: 4h
  routes: [{routes}]
{rules}
"""
