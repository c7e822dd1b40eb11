"""Kill -9 in the embedded size: timers go on, nothing is lost, at most one duplicate a kill."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from detectviz.testing.product import Product, embedded_product, running, until
from detectviz.testing.receivers import Hook, Target, web_target, webhook_receiver

pytestmark = [
    pytest.mark.faults,
    pytest.mark.timeout(400),
    pytest.mark.xdist_group("product"),
]
ALERTS = "/apis/alerting/v1/orgs/default/alerts"
MONITOR = "/apis/monitoring/v1/orgs/default/monitors/home"


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
  group_interval: 3s
  routes: [{{matchers: ['alertname="HomeDown"'], contact_point: ops}}]
"""


def alert(product: Product) -> dict[str, Any]:
    items = product.get(ALERTS)["items"]
    found = [item for item in items if item["labels"]["alertname"] == "HomeDown"]
    return found[0] if found else {"state": "", "active_at": None}


def alert_is(product: Product, state: str) -> bool:
    return bool(alert(product)["state"] == state)


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
        product.kill(product.pid_of("control"))

        until(lambda: alert_is(product, "firing"), "the alert fires after the kill")
        assert alert(product)["active_at"] == since
        until(lambda: hook.words, "somebody is told")
        time.sleep(7)
        assert hook.words == [("firing", "HomeDown")]


def test_control_killed_while_a_receiver_answers_tells_at_most_twice_with_one_id(
    tmp_path: Path, target: Target, hook: Hook
) -> None:
    hook.delay_s = 3.0
    with embedded_product(tmp_path) as product:
        begin(product, target, hook, "1s")
        assert hook.arrived.wait(60)
        product.kill(product.pid_of("control"))
        hook.delay_s = 0.0

        until(lambda: delivered(product), "the delivery is marked", timeout_s=120)
        firing = [
            uid for uid, (word, _) in zip(hook.ids, hook.words, strict=True) if word == "firing"
        ]
        assert 1 <= len(firing) <= 2
        assert len(set(firing)) == 1

        target.start()
        until(lambda: ("resolved", "HomeDown") in hook.words, "the end is told", timeout_s=120)
        time.sleep(5)
        assert hook.words.count(("resolved", "HomeDown")) == 1


def delivered(product: Product) -> bool:
    items = product.get("/apis/notifications/v1/orgs/default/deliveries")["items"]
    return any(item["status"]["state"] == "delivered" for item in items)


def test_collector_killed_goes_on_watching(tmp_path: Path, target: Target, hook: Hook) -> None:
    with embedded_product(tmp_path) as product:
        product.cli("apply", "-f", "-", stdin=manifests(target, hook, "1s"))
        until(lambda: product.get(MONITOR)["status"].get("state") == "up", "the monitor is up")
        product.kill(product.pid_of("collector"))
        target.stop()

        until(lambda: product.get(MONITOR)["status"]["state"] == "down", "it is seen down")
        until(lambda: hook.words, "somebody is told")


def test_everything_killed_and_started_again_goes_on_where_it_was(
    tmp_path: Path, target: Target, hook: Hook
) -> None:
    with embedded_product(tmp_path) as product:
        begin(product, target, hook, "5s")
        since = alert(product)["active_at"]
        children = [product.pid_of(role) for role in ("web", "collector", "control")]
        for pid in (product.processes["all"].pid, *children):
            product.kill(pid)
        product.processes["all"].wait()

        with running(product, "all"):
            until(lambda: alert_is(product, "firing"), "the alert fires", timeout_s=120)
            assert alert(product)["active_at"] == since
            until(lambda: hook.words, "somebody is told")
            target.start()
            until(lambda: ("resolved", "HomeDown") in hook.words, "the end is told")
    assert hook.words == [("firing", "HomeDown"), ("resolved", "HomeDown")]
