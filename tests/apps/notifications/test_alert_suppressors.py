"""Whom dependencies, flapping and datasources that are down leave untold."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from apps.alerting.models import Alert, RuleGroup
from apps.alerting.services.datasource_health import datasource_group_ensure
from apps.monitors.models import Monitor, MonitorState
from apps.notifications.models import SuppressionEntry
from tests.factories.alerting import first_rule, make_rulegroup
from tests.factories.dispatch import START, World, world_made

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with world_made(monkeypatch) as made:
        yield made


def monitor(world: World, name: str, *depends_on: str) -> MonitorState:
    row = Monitor.objects.create_for(
        world.org, name=name, type="http", interval_s=30, depends_on=list(depends_on)
    )
    state: MonitorState = MonitorState.objects.create_for(
        world.org, monitor=row, since=START - timedelta(days=1), state="up"
    )
    return state


def becomes(state: MonitorState, name: str, world: World) -> None:
    rows = MonitorState.objects.for_org(world.org).filter(pk=state.pk)
    rows.update(state=name, since=world.now)


def alert(world: World, group: RuleGroup, fingerprint: str, **fields: Any) -> Alert:
    rule = first_rule(group)
    values: dict[str, Any] = {
        "rule": rule,
        "name": f"{rule.uid}-{fingerprint}",
        "fingerprint": fingerprint,
        "labels": {"alertname": rule.name},
        "state": "firing",
        "value": "1",
        "active_at": world.now,
        "fired_at": world.now,
        **fields,
    }
    row: Alert = Alert.objects.create_for(world.org, **values)
    return row


def ledger(world: World) -> list[tuple[str, str]]:
    rows = SuppressionEntry.objects.for_org(world.org).order_by("pk")
    return [(row.fingerprint, row.kind) for row in rows]


def test_the_alert_of_a_monitor_is_held_back_while_its_parent_is_down(world: World) -> None:
    router = monitor(world, "router")
    monitor(world, "web", "router")
    becomes(router, "down", world)
    world.say("a", monitor="web")
    world.say("b", monitor="router")
    world.run(100)
    assert world.receiver.words == [("firing", ["b"], [])]
    assert ledger(world) == [("a", "dependency")]
    becomes(router, "up", world)
    world.run(100)
    assert world.receiver.words[-1] == ("firing", ["a", "b"], [])


def test_a_resolve_is_told_though_the_parent_is_down(world: World) -> None:
    router = monitor(world, "router")
    monitor(world, "web", "router")
    world.say("a", monitor="web")
    world.run(100)
    becomes(router, "down", world)
    world.run(400)
    assert world.receiver.words[0] == ("firing", ["a"], [])
    assert ledger(world) == []  # it fired before, and is repeated as ever
    world.say("a", "resolved", monitor="web")
    world.run(100)
    assert world.receiver.words[-1] == ("resolved", [], ["a"])


def test_an_alert_of_a_rule_waits_for_what_the_rule_depends_on(world: World) -> None:
    parent = make_rulegroup(world.org, "net", rules=[{"alert": "Router", "expr": "r == 0"}])
    child = make_rulegroup(
        world.org, "web", rules=[{"alert": "Web", "expr": "w == 0", "depends_on": ["Router"]}]
    )
    alert(world, parent, "p")
    alert(world, child, "a")
    world.say("a")
    world.run(100)
    assert world.receiver.words == []
    Alert.objects.for_org(world.org).filter(fingerprint="p").update(state="resolved")
    world.run(100)
    assert world.receiver.words == [("firing", ["a"], [])]


@pytest.mark.parametrize("holds", [True, False])
def test_what_flaps_is_held_where_its_rule_says_so(world: World, *, holds: bool) -> None:
    rule = {"low_flap_threshold": 5, "high_flap_threshold": 20, "hold_while_flapping": holds}
    group = make_rulegroup(world.org, "web", rules=[{"alert": "Web", "expr": "w", **rule}])
    alert(world, group, "a", is_flapping=True)
    world.say("a")
    world.run(100)
    assert bool(world.receiver.words) is not holds
    Alert.objects.for_org(world.org).update(is_flapping=False)
    world.run(100)
    assert world.receiver.words == [("firing", ["a"], [])]


def test_errors_of_rules_are_inhibited_by_their_datasource_that_is_down(world: World) -> None:
    group = make_rulegroup(world.org, "web")
    rule = first_rule(group)
    rule.failing_datasources = ["d1"]
    rule.save()
    alert(world, group, "a")
    datasource_group_ensure(org=world.org, now=world.now)
    health = RuleGroup.objects.for_org(world.org).get(name="builtin-datasources")
    labels = {"alertname": "DatasourceDown", "datasource": "db", "datasource_uid": "d1"}
    alert(world, health, "d", labels=labels)
    world.say("a", alertname="DatasourceError", datasource_uid="d1")
    world.run(100)
    assert world.receiver.words == []
    (entry,) = SuppressionEntry.objects.for_org(world.org)
    assert (entry.kind, entry.fingerprint) == ("inhibition", "a")
    Alert.objects.for_org(world.org).filter(fingerprint="d").update(state="resolved")
    world.run(100)
    assert world.receiver.words == [("firing", ["a"], [])]
