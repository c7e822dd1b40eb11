"""What depends on what: refused circles, and who is held back by whom."""

from datetime import datetime
from typing import Any

import pytest

from apps.alerting.models import Alert, RuleGroup
from apps.alerting.services.dependencies import ancestors_of, dependency_cycle, dependency_of
from apps.alerting.services.dependency_blocks import (
    Block,
    dependency_blocks,
    dependency_book,
)
from apps.alerting.services.groups import group_evaluate
from apps.monitors.models import Monitor, MonitorState
from apps.monitors.selectors.dependencies import dependency_way_back, failed_parents
from apps.orgs.models import Org
from detectviz.promql.memory_store import MemoryStore
from detectviz.resources.errors import InvalidFieldsError
from tests.factories.alerting import START, claim, make_rulegroup, put, seconds
from tests.factories.orgs import make_org

pytestmark = pytest.mark.django_db


@pytest.fixture
def org() -> Org:
    return make_org("acme")


def evaluate(group: RuleGroup) -> datetime:
    epoch, at = claim(group)
    group_evaluate(group_id=group.pk, epoch=epoch, now=at)
    return at


def held(org: Org) -> dict[str, list[str]]:
    """Return what holds each firing alert back, by its name."""
    rows = Alert.objects.for_org(org).filter(state="firing")
    alerts = {row.fingerprint: (row.labels, row.fired_at or row.active_at) for row in rows}
    names = {row.fingerprint: row.labels["alertname"] for row in rows}
    blocks: dict[str, list[Block]] = dependency_blocks(org, alerts, dependency_book(org))
    return {names[key]: [block.name for block in found] for key, found in blocks.items()}


def rule(name: str, metric: str, **fields: Any) -> dict[str, Any]:
    return {"alert": name, "expr": f"{metric} == 0", **fields}


def test_a_graph_is_followed_to_its_ends_once() -> None:
    graph = {
        ("g", "C"): [dependency_of("B")],
        ("g", "B"): [dependency_of({"group": "h"})],
        ("h", "A"): [dependency_of({"matchers": ['x="y"']})],
    }
    found = list(ancestors_of(("g", "C"), graph))
    assert [(one.rule, one.group, len(one.matchers)) for one in found] == [
        ("B", "", 0),
        ("", "h", 0),
        ("", "", 1),
    ]
    assert dependency_cycle([("g", "C")], graph) == []
    circle = {**graph, ("h", "A"): [dependency_of({"rule": "C", "group": "g"})]}
    assert dependency_cycle([("g", "C")], circle) == [
        ("g", "C"),
        ("g", "B"),
        ("h", "A"),
        ("g", "C"),
    ]


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ([rule("A", "a", depends_on=["A"])], "A → A"),
        (
            [rule("A", "a", depends_on=["B"]), rule("B", "b", depends_on=["A"])],
            "A → B → A",
        ),
        ([rule("A", "a", depends_on=[{"group": "web"}])], "A → A"),
    ],
)
def test_rules_in_a_circle_are_refused_by_name(
    org: Org, rules: list[dict[str, Any]], told: str
) -> None:
    with pytest.raises(InvalidFieldsError) as refused:
        make_rulegroup(org, rules=rules)
    assert refused.value.fields == {
        "spec.rules[0].depends_on": [f"A rule can't depend on itself: {told}."]
    }


def test_a_circle_through_another_group_is_refused(org: Org) -> None:
    make_rulegroup(org, "net", rules=[rule("Router", "r", depends_on=["Web"])])
    with pytest.raises(InvalidFieldsError, match="Web → net/Router → Web"):
        make_rulegroup(org, rules=[rule("Web", "w", depends_on=["Router"])])


def test_a_firing_parent_holds_back_its_children_and_theirs(org: Org, store: MemoryStore) -> None:
    rules = [
        rule("Router", "router"),
        rule("Switch", "switch", depends_on=["Router"]),
        rule("Web", "web", depends_on=["Switch"]),
        rule("Other", "web"),
    ]
    group = make_rulegroup(org, rules=rules)
    put(store, org, START, 0, __name__="router", site="a")
    put(store, org, START, 1, __name__="switch", site="a")
    put(store, org, START, 0, __name__="web", site="a")
    evaluate(group)
    assert held(org) == {"Web": ["Router"]}


def test_equal_labels_and_matchers_narrow_a_dependency(org: Org, store: MemoryStore) -> None:
    parent = {"rule": "Router", "matchers": ['tier="core"'], "equal": ["site"]}
    rules = [rule("Router", "router"), rule("Web", "web", depends_on=[parent])]
    group = make_rulegroup(org, rules=rules)
    put(store, org, START, 0, __name__="router", site="a", tier="core")
    put(store, org, START, 0, __name__="router", site="b", tier="edge")
    for site in "abc":
        put(store, org, START, 0, __name__="web", site=site)
    evaluate(group)
    rows = Alert.objects.for_org(org).filter(rule__name="Web")
    alerts = {row.fingerprint: (row.labels, row.active_at) for row in rows}
    found = dependency_blocks(org, alerts, dependency_book(org))
    assert [row.labels["site"] for row in rows if row.fingerprint in found] == ["a"]


def test_those_that_match_each_other_are_not_held_back_by_it(org: Org, store: MemoryStore) -> None:
    parent = {"matchers": ['role="router"'], "equal": ["site"]}
    group = make_rulegroup(org, rules=[rule("Down", "up", depends_on=[parent])])
    put(store, org, START, 0, site="a", role="router", host="r1")
    put(store, org, START, 0, site="a", role="router", host="r2")
    put(store, org, START, 0, site="a", role="web", host="w")
    evaluate(group)
    rows = Alert.objects.for_org(org).all()
    alerts = {row.fingerprint: (row.labels, row.active_at) for row in rows}
    found = dependency_blocks(org, alerts, dependency_book(org))
    assert [row.labels["host"] for row in rows if row.fingerprint in found] == ["w"]
    (blocks,) = found.values()
    assert len(blocks) == 2


def test_what_fired_before_its_parent_is_left_alone(org: Org, store: MemoryStore) -> None:
    rules = [rule("Router", "router"), rule("Web", "web", depends_on=["Router"])]
    group = make_rulegroup(org, rules=rules)
    put(store, org, START, 0, __name__="web")
    put(store, org, START, 1, __name__="router")
    for _ in range(3):
        at = evaluate(group)
    put(store, org, at + seconds(1), 0, __name__="router")
    evaluate(group)
    assert Alert.objects.for_org(org).filter(state="firing").count() == 2
    assert held(org) == {}


def make_monitor(org: Org, name: str, state: str = "up", **fields: Any) -> Monitor:
    monitor: Monitor = Monitor.objects.create_for(
        org, name=name, type="http", interval_s=60, **fields
    )
    MonitorState.objects.create_for(org, monitor=monitor, since=START, state=state)
    return monitor


def test_monitors_hold_back_those_below_them(org: Org) -> None:
    make_monitor(org, "router", "down")
    make_monitor(org, "switch", depends_on=["router"])
    make_monitor(org, "web", "down", depends_on=["switch", "no-such"])
    make_monitor(org, "paused", "down", is_enabled=False)
    make_monitor(org, "shop", depends_on=["paused"])
    found = failed_parents(org, ["web", "switch", "router", "shop"])
    assert {name: [one.name for one in parents] for name, parents in found.items()} == {
        "web": ["router"],
        "switch": ["router"],
    }
    early, late = START - seconds(61), START - seconds(30)
    alerts = {
        "1": ({"monitor": "web"}, late),
        "2": ({"monitor": "web"}, early),
        "3": ({"monitor": "router"}, late),
        "4": ({}, late),
    }
    blocks = dependency_blocks(org, alerts, dependency_book(org))
    assert {key: [one.detail for one in found] for key, found in blocks.items()} == {
        "1": ["the monitor router is down"]
    }


def test_a_way_back_is_found_whatever_its_length(org: Org) -> None:
    make_monitor(org, "a", depends_on=["b"])
    make_monitor(org, "b", depends_on=["c"])
    make_monitor(org, "c")
    assert dependency_way_back(org, "c", ["a"]) == ["c", "a", "b", "c"]
    assert dependency_way_back(org, "c", ["c"]) == ["c", "c"]
    assert dependency_way_back(org, "a", ["c"]) == []
