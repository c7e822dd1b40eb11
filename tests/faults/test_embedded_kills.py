"""Kill -9 in the embedded size: timers go on, nothing is lost, at most one duplicate a kill."""

import json
import time
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from detectviz.testing.product import Product, embedded_product, running, until
from detectviz.testing.receivers import Hook, Target, web_target, webhook_receiver

pytestmark = [
    pytest.mark.faults,
    pytest.mark.timeout(400),
]
ALERTS = "/apis/alerting/v1/orgs/default/alerts"
MONITOR = "/apis/monitoring/v1/orgs/default/monitors/home"
DELIVERIES = "/apis/notifications/v1/orgs/default/deliveries"
INTERVAL_S = 1.0
TWO_GROUP_INTERVALS_S = 2.5
FIRING, RESOLVED = ("firing", "HomeDown"), ("resolved", "HomeDown")


def manifests(target: Target, hook: Hook, wait: str) -> str:
    return f"""\
apiVersion: monitoring/v1
kind: Monitor
metadata: {{name: home}}
spec: {{type: http, interval: 1s, timeout: 1s, config: {{url: "{target.url}"}}}}
---
apiVersion: alerting/v1
kind: RuleGroup
metadata: {{name: web}}
spec:
  interval: 1s
  rules:
    - {{alert: HomeDown, expr: 'probe_success{{monitor="home"}} == 0', for: {wait}}}
---
apiVersion: notifications/v1
kind: ContactPoint
metadata: {{name: ops}}
spec: {{receivers: [{{notifier: webhook, config: {{url: "{hook.url}"}}}}]}}
---
apiVersion: notifications/v1
kind: RoutingTree
metadata: {{name: default}}
spec:
  contact_point: ""
  group_by: [alertname]
  group_wait: 1s
  group_interval: 1s
  routes: [{{matchers: ['alertname="HomeDown"'], contact_point: ops}}]
"""


def alert(product: Product) -> dict[str, Any]:
    items = product.get(ALERTS)["items"]
    found = [item for item in items if item["labels"]["alertname"] == "HomeDown"]
    return found[0] if found else {"state": "", "active_at": None, "fired_at": None}


def alert_is(product: Product, state: str) -> bool:
    return bool(alert(product)["state"] == state)


def seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def evaluations(product: Product) -> list[float]:
    """Return when the rule was evaluated while its alert was there (Unix seconds)."""
    selector = 'ALERTS{alertname="HomeDown"}[10m]'
    answer = json.loads(product.cli("query", selector, "-o", "json"))
    return sorted({float(at) for series in answer["result"] for at, _ in series["values"]})


def assert_clock_kept(product: Product, since: str, for_s: float) -> None:
    """Check that the alert waited out ``for``: what passed before the kill counted.

    As in Prometheus the time in which nobody evaluated (more than two intervals) does not count:
    the clock stands still, ``active_at`` moves by just that, and the alert fires at the first
    evaluation after.
    """
    fired = alert(product)
    active_at, fired_at = seconds(fired["active_at"]), seconds(fired["fired_at"])
    waiting = [at for at in evaluations(product) if at <= fired_at]
    gaps = [after - before for before, after in pairwise(waiting)]
    stood_still_s = sum(gap for gap in gaps if gap > 2 * INTERVAL_S)
    # A kill between the samples of an evaluation and its transaction hides one interval of a gap.
    assert stood_still_s <= active_at - seconds(since) <= stood_still_s + INTERVAL_S
    assert fired_at - active_at >= for_s
    assert waiting[-2] - active_at < for_s


@pytest.fixture
def target() -> Iterator[Target]:
    with web_target() as target:
        yield target


@pytest.fixture
def hook() -> Iterator[Hook]:
    with webhook_receiver() as hook:
        yield hook


def begin(product: Product, target: Target, hook: Hook, wait: str) -> None:
    product.cli("apply", "-f", "-", stdin=manifests(target, hook, wait))
    until(lambda: product.get(MONITOR)["status"].get("state") == "up", "the monitor is up")
    target.stop()
    until(lambda: alert_is(product, "pending"), "the alert is pending")


def test_control_killed_while_an_alert_waits_keeps_its_clock(
    tmp_path: Path, target: Target, hook: Hook
) -> None:
    with embedded_product(tmp_path) as product:
        begin(product, target, hook, "6s")
        since = alert(product)["active_at"]
        until(lambda: time.time() > seconds(since) + 3, "half of the wait is over")
        product.kill(product.pid_of("control"))

        until(lambda: alert_is(product, "firing"), "the alert fires after the kill")
        assert_clock_kept(product, since, 6)
        until(lambda: hook.words, "somebody is told")
        time.sleep(TWO_GROUP_INTERVALS_S)
        assert hook.words == [FIRING]


def test_control_killed_while_a_receiver_answers_tells_at_most_twice_with_one_id(
    tmp_path: Path, target: Target, hook: Hook
) -> None:
    hook.delay_s = 20.0
    with embedded_product(tmp_path) as product:
        begin(product, target, hook, "1s")
        assert hook.arrived.wait(60)
        product.kill(product.pid_of("control"))
        hook.delay_s = 0.0

        until(lambda: delivered(product) == 1, "the delivery is marked", timeout_s=120)
        firing = told(hook, "firing")
        assert len(firing) == 2  # it was killed before the answer came: told once more
        assert len(set(firing)) == 1

        target.start()
        until(lambda: told(hook, "resolved"), "the end is told")
        time.sleep(TWO_GROUP_INTERVALS_S)
        assert told(hook, "firing") == firing
        assert len(told(hook, "resolved")) == 1


def told(hook: Hook, word: str) -> list[str]:
    """Return the ids of the notifications that said ``word``."""
    return [uid for uid, (said, _) in zip(hook.ids, hook.words, strict=True) if said == word]


def delivered(product: Product) -> int:
    items = product.get(DELIVERIES)["items"]
    return sum(item["status"]["status"] == "delivered" for item in items)


def test_collector_killed_goes_on_watching(tmp_path: Path, target: Target, hook: Hook) -> None:
    with embedded_product(tmp_path) as product:
        product.cli("apply", "-f", "-", stdin=manifests(target, hook, "1s"))
        until(lambda: product.get(MONITOR)["status"].get("state") == "up", "the monitor is up")
        product.kill(product.pid_of("collector"))
        target.stop()

        until(lambda: product.get(MONITOR)["status"]["state"] == "down", "it is seen down")
        until(lambda: hook.words, "somebody is told")
        assert set(hook.words) == {FIRING}


def test_everything_killed_and_started_again_goes_on_where_it_was(
    tmp_path: Path, target: Target, hook: Hook
) -> None:
    with embedded_product(tmp_path) as product:
        begin(product, target, hook, "5s")
        since = alert(product)["active_at"]
        until(lambda: time.time() > seconds(since) + 2, "some of the wait is over")
        children = [product.pid_of(role) for role in ("web", "collector", "control")]
        for pid in (product.processes["all"].pid, *children):
            product.kill(pid)
        product.processes["all"].wait()

        with running(product, "all"):
            until(lambda: alert_is(product, "firing"), "the alert fires", timeout_s=120)
            assert_clock_kept(product, since, 5)
            until(lambda: hook.words, "somebody is told")
            target.start()
            until(lambda: told(hook, "resolved"), "the end is told")
    assert hook.words == [FIRING, RESOLVED]
