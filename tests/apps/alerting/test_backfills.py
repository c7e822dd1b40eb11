"""Recording rules over the past: what the evaluation would have written, once."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from apps.alerting.models import RuleGroup
from apps.alerting.services.backfills import rules_backfill
from apps.alerting.services.evaluation import Surroundings, group_run
from apps.alerting.services.groups import group_evaluate
from apps.alerting.services.plans import GroupPlan, plans_after
from apps.alerting.services.queries import rule_querier
from apps.alerting.services.rule_specs import rule_plan
from apps.alerting.services.rulegroups import rulegroup_delete
from apps.orgs.models import Org
from detectviz.clock import from_ms, to_ms, utc_now
from detectviz.promql.memory_store import MemoryStore
from detectviz.resources.errors import InvalidFieldsError
from detectviz.tsdb.interface import Matcher, MatchOp
from tests.factories.alerting import START, change_rulegroup, claim, make_rulegroup, put, seconds
from tests.factories.orgs import make_org

pytestmark = pytest.mark.django_db(transaction=True)
RULES: list[dict[str, Any]] = [
    {"record": "job:up:sum", "expr": "sum by (job) (up > 0)", "labels": {"team": "web"}},
    {"record": "job:up:twice", "expr": "job:up:sum * 2"},
    {"record": "job:up:change", "expr": "delta(job:up:sum[2m])"},
]
TWINS: list[dict[str, Any]] = [
    {"record": "x", "expr": "up"},
    {"record": "x", "expr": "up + 1", "labels": {"b": "1"}},
]
SLOTS = 40


@pytest.fixture
def org() -> Org:
    return make_org("acme")


def plan(rules: list[dict[str, Any]], **fields: Any) -> GroupPlan:
    made = tuple(rule_plan(rule, key=str(number)) for number, rule in enumerate(rules))
    return GroupPlan(name="g", interval_ms=15_000, rules=made, **fields)


def filled(store: MemoryStore, org: Org) -> None:
    for slot in range(-10, SLOTS):
        put(store, org, START + seconds(slot * 15 - 3), slot % 7, job="a", n=str(slot % 2))
        if slot % 25 < 3:
            put(store, org, START + seconds(slot * 15 - 2), 5, job="b")


def recorded(store: MemoryStore, org: Org) -> Any:
    matcher = Matcher("__name__", MatchOp.REGEX, "job:.*")
    found = store.select(org.uid, [matcher], 0, 2**60)
    return found.labels, found.offsets.tolist(), found.timestamps_ms.tolist(), bytes(found.values)


@pytest.mark.parametrize("offset_ms", [0, 4_000])
def test_it_writes_what_the_evaluation_would_have(
    offset_ms: int, org: Org, store: MemoryStore
) -> None:
    group = plan(RULES, query_offset_ms=offset_ms)
    real = MemoryStore()
    filled(real, org)
    filled(store, org)
    around, after = Surroundings(querier=rule_querier(real, org.uid)), group
    for slot in range(SLOTS):
        at_ms = to_ms(START) + slot * 15_000
        runs = [run for batch in group_run(after, around, at_ms=at_ms) for run in batch.runs]
        after = plans_after(after, runs, at_ms=at_ms)
    end = START + seconds((SLOTS - 1) * 15)
    found = rules_backfill(tenant=org, group=group, start=START, end=end)
    assert (found.slots, found.refused, found.errors) == (SLOTS, {}, {})
    assert recorded(store, org) == recorded(real, org)
    again = rules_backfill(tenant=org, group=group, start=START, end=end)
    assert (again.stored, again.present) == (0, found.stored)


def test_it_stops_in_time_and_says_where_to_go_on(org: Org, store: MemoryStore) -> None:
    filled(store, org)
    end = START + seconds(600)
    found = rules_backfill(tenant=org, group=plan(RULES), start=START, end=end, timeout_s=-1)
    assert found.continued_at == START


def test_an_error_is_the_rules_own(org: Org, store: MemoryStore) -> None:
    filled(store, org)
    rules: list[dict[str, Any]] = [{"record": "x", "expr": "up + on (job) up"}, RULES[0]]
    found = rules_backfill(tenant=org, group=plan(rules), start=START, end=START + seconds(60))
    assert list(found.errors) == ["x"]
    assert found.stored > 0


@pytest.mark.parametrize(
    ("rules", "end"),
    [([], START), ([{"alert": "A", "expr": "up"}], START), (RULES, START - seconds(60))],
)
def test_nothing_to_do_is_said(
    rules: list[dict[str, Any]], end: Any, org: Org, store: MemoryStore
) -> None:
    with pytest.raises(InvalidFieldsError):
        rules_backfill(tenant=org, group=plan(rules), start=START, end=end)


def told(*arguments: str) -> str:
    out = StringIO()
    call_command("rules", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_fills_from_a_file_and_from_a_group(
    org: Org, store: MemoryStore, tmp_path: Path
) -> None:
    filled(store, org)
    file = tmp_path / "rules.yml"
    file.write_text(json.dumps({"groups": [{"name": "Web", "interval": "15s", "rules": RULES}]}))
    times = ("--start", START.isoformat(), "--end", (START + seconds(300)).isoformat())
    text = told("backfill", str(file), *times, "--org", "acme")
    assert text.startswith("Web: ")
    assert "0 were there" in text
    make_rulegroup(org, "web", rules=RULES)
    answer = json.loads(told("backfill", "web", *times, "--org", "acme", "-o", "json"))
    assert answer["web"]["refused"] == {}
    with pytest.raises(CommandError, match="recording"):
        told("backfill", str(_alert_file(tmp_path)), *times, "--org", "acme")


def _alert_file(folder: Path) -> Path:
    file = folder / "alerts.yml"
    rules = [{"alert": "A", "expr": "up"}]
    file.write_text(json.dumps({"groups": [{"name": "Web", "rules": rules}]}))
    return file


def test_the_command_backtests(org: Org, store: MemoryStore) -> None:
    now = utc_now()
    for back in range(20):
        put(store, org, now - seconds(back * 15), 9, job="a")
    options = ("backtest", "--org", "acme", "--range", "4m", "--interval", "15s")
    text = told(*options, "--expr", "up > 5", "--for", "30s")
    assert "It would have fired once on 1 label sets" in text
    make_rulegroup(org, "web", rules=[{"alert": "Up", "expr": "up > 5"}])
    answer = json.loads(told(*options, "--group", "web", "--rule", "Up", "-o", "json"))
    assert answer["total"] == 1
    with pytest.raises(CommandError):
        told(*options)


def evaluate(group: RuleGroup) -> Any:
    epoch, at = claim(group)
    group_evaluate(group_id=group.pk, epoch=epoch, now=at)
    group.refresh_from_db()
    return at


@pytest.mark.parametrize("change", ["delete", "remove", "disable", "rename", "keep"])
def test_series_of_recording_rules_that_end_are_marked_stale(
    change: str, org: Org, store: MemoryStore
) -> None:
    group = make_rulegroup(org, rules=TWINS)
    put(store, org, START, 1, n="1")
    at = evaluate(group)
    now = at + seconds(1)
    match change:
        case "delete":
            rulegroup_delete(group=group, now=now)
        case "remove":
            change_rulegroup(group, rules=TWINS[:1], now=now)
        case "disable":
            change_rulegroup(group, rules=TWINS, now=now, is_enabled=False)
        case "rename":
            change_rulegroup(group, rules=[{**TWINS[0], "record": "y"}, TWINS[1]], now=now)
        case _:
            change_rulegroup(group, rules=[{**TWINS[0], "expr": "up * 2"}, TWINS[1]], now=now)
    found = store.select(org.uid, [Matcher("__name__", MatchOp.EQUAL, "x")], to_ms(now), to_ms(now))
    ended = ["b" in labels for labels in found.labels]
    wanted: dict[str, list[bool]] = {"remove": [True], "rename": [False]}
    wanted |= {key: [True, False] for key in ("delete", "disable")}
    assert sorted(ended, reverse=True) == wanted.get(change, [])


def test_rules_that_share_a_name_do_not_end_each_others_series(
    org: Org, store: MemoryStore
) -> None:
    group = make_rulegroup(org, rules=TWINS)
    for slot in range(5):
        put(store, org, START + seconds(slot * 15), 1, n="1")
    times = [evaluate(group) for _ in range(3)]
    found = store.select(org.uid, [Matcher("__name__", MatchOp.EQUAL, "x")], 0, 2**60)
    assert found.values.tolist() == [2.0, 2.0, 2.0, 1.0, 1.0, 1.0]
    assert found.timestamps_ms.tolist() == [to_ms(at) for at in times] * 2
    assert from_ms(found.timestamps_ms.tolist()[0]) == times[0]
