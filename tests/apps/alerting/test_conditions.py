"""Rules that ask datasources, through the real evaluator and a real SQLite file."""

import threading
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from apps.alerting.enums import RuleHealth
from apps.alerting.models import Alert, AlertEvent, RuleGroup
from apps.alerting.services import conditions, groups, lanes
from apps.alerting.services.groups import group_evaluate, groups_evaluate_due
from apps.alerting.services.memory import memory
from apps.datasources.models import Datasource
from apps.datasources.selectors.resolution import memory_clear
from apps.datasources.services.queries import queries_run, query_executor_forget
from apps.orgs.models import Org
from detectviz.events.types import AlertChanged
from detectviz.promql.memory_store import MemoryStore
from detectviz.tsdb.interface import METRIC_NAME, Matcher, MatchOp
from tests.factories.accounts import make_full_org
from tests.factories.alerting import (
    START,
    claim,
    first_rule,
    make_rulegroup,
    put,
    seconds,
)
from tests.factories.rule_queries import LOADS, load_rule, make_hosts, threshold, write_hosts

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _fresh_executor() -> Iterator[None]:
    query_executor_forget()
    memory_clear()
    yield
    memory_clear()
    query_executor_forget()


@pytest.fixture
def org(store: MemoryStore) -> Org:
    org = make_full_org("acme")
    RuleGroup.objects.for_org(org).delete()
    return org


@pytest.fixture
def hosts(org: Org, tmp_path: Path, settings: Settings) -> Datasource:
    settings.DATASOURCE_FILES_DIR = tmp_path
    return make_hosts(org, tmp_path)


def evaluate(group: RuleGroup, *, is_restarted: bool = False) -> datetime:
    """Evaluate at the next slot; as another process would, if that is asked."""
    epoch, at = claim(group)
    if is_restarted:
        memory.clear()
    group_evaluate(group_id=group.pk, epoch=epoch, now=at)
    return at


def by_host(group: RuleGroup) -> dict[str, str]:
    rows = Alert.objects.for_org(group.org_id).filter(rule__group=group)
    return {f"{row.labels['alertname']} {row.labels.get('host', '')}": row.state for row in rows}


@pytest.mark.parametrize("is_restarted", [False, True])
def test_a_dimension_is_pending_fires_and_resolves(  # noqa: PLR0917 - fixtures
    org: Org,
    hosts: Datasource,
    tmp_path: Path,
    told: list[AlertChanged],
    store: MemoryStore,
    is_restarted: bool,
) -> None:
    group = make_rulegroup(
        org,
        rules=[
            load_rule(
                **{"for": "20s"},
                annotations={
                    "summary": "{{ $labels.host }}: {{ $values.A }}",
                    "all": "{{ $value }}",
                },
            )
        ],
    )
    write_hosts(org, tmp_path, {"a": 7, "b": 3})
    evaluate(group, is_restarted=is_restarted)
    assert by_host(group) == {"HighLoad a": "pending"}
    evaluate(group, is_restarted=is_restarted)
    evaluate(group, is_restarted=is_restarted)
    row = Alert.objects.for_org(org).get()
    assert (row.state, row.value, row.labels) == (
        "firing",
        "7",
        {"alertname": "HighLoad", "host": "a", "severity": "page"},
    )
    assert row.annotations == {
        "summary": "a: 7",
        "all": "[ var='A' labels={host=a} value=7 ], [ var='B' labels={host=a} value=1 ]",
    }
    assert {one["alertstate"] for one in samples(store, org, "ALERTS")} >= {"firing"}
    write_hosts(org, tmp_path, {"a": 4, "b": 3})
    evaluate(group, is_restarted=is_restarted)
    assert by_host(group) == {"HighLoad a": "resolved"}
    assert [each.status for each in told] == ["firing", "resolved"]
    assert first_rule(group).health == RuleHealth.OK


def samples(store: MemoryStore, org: Org, name: str) -> list[dict[str, str]]:
    """Return the label sets stored of a metric."""
    found = store.select(org.uid, [Matcher(METRIC_NAME, MatchOp.EQUAL, name)], 0, 2**50)
    return [dict(labels) for labels in found.labels]


@pytest.mark.parametrize("is_restarted", [False, True])
def test_what_fires_goes_on_until_the_recovery_threshold(
    org: Org, hosts: Datasource, tmp_path: Path, is_restarted: bool
) -> None:
    rule = load_rule(queries=[LOADS, threshold(5, until=2)])
    group = make_rulegroup(org, rules=[rule])
    seen = []
    for load in (3, 6, 3, 1, 3):
        write_hosts(org, tmp_path, {"a": load})
        evaluate(group, is_restarted=is_restarted)
        seen.append(by_host(group).get("HighLoad a"))
    assert seen == [None, "firing", "firing", "resolved", "resolved"]


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (None, {"DatasourceNoData ": "firing", "HighLoad a": "firing"}),
        ("no_data", {"DatasourceNoData ": "firing", "HighLoad a": "firing"}),
        ("alerting", {"HighLoad a": "firing"}),
        ("ok", {"HighLoad a": "resolved"}),
        ("keep_last", {"HighLoad a": "firing"}),
    ],
)
def test_without_data_the_policy_decides(
    org: Org, hosts: Datasource, tmp_path: Path, policy: str | None, expected: dict[str, str]
) -> None:
    fields = {"no_data": policy} if policy else {}
    group = make_rulegroup(org, rules=[load_rule(**fields)])
    write_hosts(org, tmp_path, {"a": 7})
    evaluate(group)
    write_hosts(org, tmp_path, {})
    evaluate(group)
    assert by_host(group) == expected
    special = Alert.objects.for_org(org).filter(labels__alertname="DatasourceNoData").first()
    if special is not None:
        assert special.labels == {
            "alertname": "DatasourceNoData",
            "rulename": "HighLoad",
            "severity": "page",
            "datasource_uid": hosts.uid,
            "ref_id": "A",
            "detectviz_reason": "NoData",
        }
    write_hosts(org, tmp_path, {"a": 7})
    evaluate(group)
    assert by_host(group)["HighLoad a"] == "firing"


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (None, {"DatasourceError ": "firing", "HighLoad a": "firing"}),
        ("error", {"DatasourceError ": "firing", "HighLoad a": "firing"}),
        ("alerting", {"HighLoad a": "firing"}),
        ("ok", {"HighLoad a": "resolved"}),
        ("keep_last", {"HighLoad a": "firing"}),
    ],
)
def test_on_an_error_the_policy_decides_and_others_go_on(  # noqa: PLR0917 - fixtures
    org: Org,
    hosts: Datasource,
    tmp_path: Path,
    store: MemoryStore,
    policy: str | None,
    expected: dict[str, str],
) -> None:
    fields = {"on_error": policy} if policy else {}
    other = {"alert": "Down", "expr": "up == 0"}
    group = make_rulegroup(org, rules=[load_rule(**fields), other])
    write_hosts(org, tmp_path, {"a": 7})
    evaluate(group)
    (tmp_path / "acme" / "hosts.db").write_bytes(b"no database at all" * 100)
    group.refresh_from_db()
    assert group.next_due_at is not None
    put(store, org, group.next_due_at, 0.0, instance="x")
    evaluate(group)
    found = by_host(group)
    assert found.pop("Down ") == "firing"
    assert found == expected
    rule = first_rule(group)
    assert rule.health == RuleHealth.ERROR
    assert rule.last_error.startswith("A: ")


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (
            "no_data",
            {"DatasourceNoData b": "firing", "HighLoad a": "firing", "HighLoad b": "firing"},
        ),
        ("alerting", {"HighLoad a": "firing", "HighLoad b": "firing"}),
        ("ok", {"HighLoad a": "firing", "HighLoad b": "resolved"}),
        ("keep_last", {"HighLoad a": "firing", "HighLoad b": "firing"}),
    ],
)
def test_a_dimension_without_a_value_follows_the_policy_alone(
    org: Org, hosts: Datasource, tmp_path: Path, policy: str, expected: dict[str, str]
) -> None:
    rule = load_rule(
        no_data=policy,
        queries=[LOADS, {"ref_id": "B", "datasource": "__expr__",
                         "model": {"type": "math", "expression": "$A > 5"}}],
    )  # fmt: skip
    group = make_rulegroup(org, rules=[rule])
    write_hosts(org, tmp_path, {"a": 7, "b": 8})
    evaluate(group)
    write_hosts(org, tmp_path, {"a": 7, "b": None})
    evaluate(group)
    assert by_host(group) == expected


def test_a_dimension_that_is_gone_is_kept_for_two_evaluations(
    org: Org, hosts: Datasource, tmp_path: Path
) -> None:
    group = make_rulegroup(org, rules=[load_rule()])
    write_hosts(org, tmp_path, {"a": 7, "b": 8})
    evaluate(group)
    write_hosts(org, tmp_path, {"a": 7})
    evaluate(group, is_restarted=True)
    assert by_host(group) == {"HighLoad a": "firing", "HighLoad b": "firing"}
    missing = Alert.objects.for_org(org).get(labels__host="b")
    assert (missing.reason, missing.missed) == ("MissingSeries", 1)
    evaluate(group, is_restarted=True)
    assert by_host(group) == {"HighLoad a": "firing", "HighLoad b": "resolved"}
    told = AlertEvent.objects.for_org(org).filter(state="resolved").get()
    assert told.reason == "MissingSeries"


def test_a_dimension_that_is_there_and_does_not_hold_resolves_at_once(
    org: Org, hosts: Datasource, tmp_path: Path
) -> None:
    group = make_rulegroup(org, rules=[load_rule()])
    write_hosts(org, tmp_path, {"a": 7})
    evaluate(group)
    write_hosts(org, tmp_path, {"a": 1})
    evaluate(group)
    assert by_host(group) == {"HighLoad a": "resolved"}


@pytest.mark.parametrize("is_restarted", [False, True])
def test_what_fires_waits_for_the_recovery_condition(
    org: Org, hosts: Datasource, tmp_path: Path, *, is_restarted: bool
) -> None:
    model = {"type": "math", "expression": "$A < 3"}
    recovery = {"ref_id": "C", "datasource": "__expr__", "model": model}
    rule = load_rule(queries=[LOADS, threshold(5), recovery], recovery_condition="C")
    group = make_rulegroup(org, rules=[rule])
    write_hosts(org, tmp_path, {"a": 7, "b": 7})
    evaluate(group, is_restarted=is_restarted)
    write_hosts(org, tmp_path, {"a": 4, "b": 2})
    evaluate(group, is_restarted=is_restarted)
    assert by_host(group) == {"HighLoad a": "recovering", "HighLoad b": "resolved"}
    write_hosts(org, tmp_path, {"a": 1, "b": 2})
    evaluate(group, is_restarted=is_restarted)
    assert by_host(group)["HighLoad a"] == "resolved"


def test_a_series_can_be_no_condition(org: Org, hosts: Datasource, tmp_path: Path) -> None:
    sql = "SELECT 1700000000 AS time, 'a' AS host, 7.0 AS load"
    query = {**LOADS, "model": {"sql": sql, "format": "time_series"}}
    group = make_rulegroup(org, rules=[load_rule(queries=[query], condition="A")])
    evaluate(group)
    assert "reduce it" in first_rule(group).last_error


def test_the_numbers_of_a_condition_can_be_recorded(
    org: Org, hosts: Datasource, tmp_path: Path, store: MemoryStore
) -> None:
    rule = {"record": "host:load", "queries": [LOADS], "condition": "A"}
    group = make_rulegroup(org, rules=[rule, {"alert": "High", "expr": "host:load > 5"}])
    write_hosts(org, tmp_path, {"a": 7, "b": 0})
    evaluate(group)
    recorded = samples(store, org, "host:load")
    assert {one["host"] for one in recorded} == {"a", "b"}
    assert by_host(group) == {"High a": "firing"}


def test_datasources_are_asked_outside_of_transactions_and_as_of_the_slot(
    org: Org, hosts: Datasource, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = {**LOADS, "relative_from": "1h", "relative_to": "5m"}
    group = make_rulegroup(org, rules=[load_rule(queries=[query, threshold(5)])])
    asked: list[Any] = []

    def spy(**given: Any) -> Any:
        asked.append(given["request"])
        return queries_run(**given)

    monkeypatch.setattr(conditions, "queries_run", spy)
    at = round(evaluate(group).timestamp() * 1000)
    (request,) = asked
    spans = [(each.range.start_ms - at, each.range.end_ms - at) for each in request.queries]
    assert spans == [(-3_600_000, -300_000)] * 2
    assert request.timeout_s == 30


def test_other_orgs_datasources_are_not_asked(org: Org, hosts: Datasource, tmp_path: Path) -> None:
    other = make_full_org("other")
    group = make_rulegroup(other, "theirs", rules=[load_rule()])
    write_hosts(org, tmp_path, {"a": 7})
    evaluate(group)
    assert "no such datasource" in first_rule(group).last_error


def test_the_tick_of_series_leaves_groups_that_ask_datasources(org: Org, hosts: Datasource) -> None:
    slow = make_rulegroup(org, "slow", rules=[load_rule()])
    quick = make_rulegroup(org, "quick")
    now = START + seconds(16)
    assert groups_evaluate_due(owner="a", clock=lambda: now, asks_datasources=False) == 1
    for group in (slow, quick):
        group.refresh_from_db()
    assert (slow.last_eval_at, quick.last_eval_at is not None) == (None, True)
    claims = groups.groups_claim_due(owner="b", now=now, asks_datasources=True)
    assert [each.group_id for each in claims] == [slow.pk]


def test_a_lane_claims_no_more_than_it_has_threads_and_does_not_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    release, begun, limits = threading.Event(), threading.Semaphore(0), list[int]()

    def claimed(*, limit: int, **_: Any) -> list[groups.Claim]:
        limits.append(limit)
        return [groups.Claim(group_id=number, epoch=1) for number in range(limit)]

    def stuck(claim: groups.Claim, **_: Any) -> None:
        begun.release()
        release.wait(10)

    monkeypatch.setattr(lanes, "groups_claim_due", claimed)
    monkeypatch.setattr(lanes, "claim_evaluate", stuck)
    lane = lanes.Lane(2)
    started = time.monotonic()
    try:
        assert lane.begin(owner="a") == 2
        assert lane.begin(owner="a") == 0
        assert begun.acquire(timeout=5)
        assert begun.acquire(timeout=5)
        assert time.monotonic() - started < 5
        assert limits == [2]
    finally:
        release.set()
        lane.close()
    assert lane.begin(owner="a") == 2
    lane.close()
