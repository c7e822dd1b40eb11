"""Claims, evaluations, and what they write."""

import math
import subprocess
from datetime import datetime
from typing import Any

import pytest
from django.db import OperationalError, connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_django import Settings

from apps.alerting.enums import AlertCondition, AlertState
from apps.alerting.errors import LeaseLostError
from apps.alerting.models import Alert, AlertEvent, RuleGroup
from apps.alerting.selectors import alert_queryset
from apps.alerting.services import groups
from apps.alerting.services.alert_rows import instance_of, row_key, row_of
from apps.alerting.services.groups import (
    LEASE_S,
    Claim,
    claim_evaluate,
    group_evaluate,
    groups_claim_due,
    groups_evaluate_due,
)
from apps.alerting.services.memory import memory
from apps.alerting.services.schedule import slot_after, slot_now, slot_offset_ms
from apps.alerting.services.state_values import Instance
from apps.orgs.models import Org
from detectviz.clock import to_ms
from detectviz.events.bus import publish
from detectviz.events.types import AlertChanged, SoleWorkerStarts, WorkerStarts
from detectviz.promql.memory_store import MemoryStore
from detectviz.runtime.leases import process_owner
from detectviz.tsdb.interface import Matcher, MatchOp
from tests.factories.alerting import (
    DOWN,
    START,
    change_rulegroup,
    claim,
    first_rule,
    make_rulegroup,
    put,
    seconds,
    states,
)
from tests.factories.orgs import make_folder, make_org

pytestmark = pytest.mark.django_db


@pytest.fixture
def org() -> Org:
    return make_org("acme")


def evaluate(group: RuleGroup) -> datetime:
    """Claim a group at its next slot and evaluate it then; return the time."""
    epoch, at = claim(group)
    group_evaluate(group_id=group.pk, epoch=epoch, now=at)
    group.refresh_from_db()
    return at


def test_slots_are_an_interval_apart_and_spread_by_uid() -> None:
    first = slot_after("abc", 15_000, START)
    assert START < first <= START + seconds(15)
    assert slot_after("abc", 15_000, first) == first + seconds(15)
    assert len({slot_offset_ms(f"group-{number}", 60_000) for number in range(50)}) > 40


def test_a_late_group_skips_slots_and_counts_them() -> None:
    assert slot_now(START, 15_000, START) == (START, 0)
    assert slot_now(START, 15_000, START + seconds(14)) == (START, 0)
    assert slot_now(START, 15_000, START + seconds(50)) == (START + seconds(45), 3)


def test_the_start_of_a_sole_worker_frees_the_groups_of_its_earlier_life(org: Org) -> None:
    group = make_rulegroup(org)
    epoch, at = claim(group)
    assert groups_claim_due(owner="b", now=at) == []
    publish(SoleWorkerStarts())
    (again,) = groups_claim_due(owner="b", now=at)
    assert (again.group_id, again.epoch) == (group.pk, epoch + 1)


def test_a_group_is_claimed_once_until_its_lease_ends(org: Org) -> None:
    group = make_rulegroup(org)
    due = group.next_due_at
    assert due is not None
    assert groups_claim_due(owner="a", now=due - seconds(1)) == []
    (first,) = groups_claim_due(owner="a", now=due)
    assert groups_claim_due(owner="b", now=due) == []
    (second,) = groups_claim_due(owner="b", now=due + seconds(LEASE_S))
    assert second.epoch == first.epoch + 1


def test_groups_switched_off_or_of_an_inactive_org_are_not_claimed(org: Org) -> None:
    make_rulegroup(org, "off", is_enabled=False)
    other = make_org("other")
    make_rulegroup(other, "asleep")
    Org.objects.filter(pk=other.pk).update(is_active=False)
    later = START + seconds(60)
    assert groups_claim_due(owner="a", now=later) == []


def test_an_alert_fires_is_told_and_leaves_history(
    org: Org, store: MemoryStore, told: list[AlertChanged]
) -> None:
    group = make_rulegroup(
        org,
        rules=[
            {
                "alert": "Down",
                "expr": "up == 0",
                "labels": {"severity": "page"},
                "annotations": {"summary": "{{ $labels.instance }} is {{ $value }}"},
            }
        ],
    )
    put(store, org, START, 0, instance="a")
    at = evaluate(group)
    alert = Alert.objects.for_org(org).get()
    assert alert.labels == {"alertname": "Down", "instance": "a", "severity": "page"}
    assert (alert.state, alert.active_at, alert.fired_at) == ("firing", at, at)
    assert (alert.value, alert.suppressed_by) == ("0", [])
    (message,) = told
    assert (message.status, message.rule_group, message.rule) == ("firing", "web", "Down")
    assert message.annotations == {"summary": "a is 0"}
    assert (message.starts_at, message.ends_at) == (at, at + seconds(240))
    assert message.is_transition
    event = AlertEvent.objects.for_org(org).get()
    assert (event.previous, event.state, event.at) == ("inactive", "firing", at)
    assert group.next_due_at == at + seconds(15)
    assert (group.last_eval_at, group.lease_owner, group.lease_until) == (at, "", None)
    assert first_rule(group).health == "ok"


def test_its_series_are_written(org: Org, store: MemoryStore) -> None:
    group = make_rulegroup(org)
    put(store, org, START, 0, instance="a")
    at_ms = to_ms(evaluate(group))
    matcher = Matcher("__name__", MatchOp.REGEX, "ALERTS.*")
    found = store.select(org.uid, [matcher], at_ms, at_ms)
    assert [(one["__name__"], one.get("alertstate")) for one in found.labels] == [
        ("ALERTS", "firing"),
        ("ALERTS_FOR_STATE", None),
    ]
    assert found.values.tolist() == [1.0, float(at_ms // 1000)]


def test_a_resolved_alert_is_told_and_forgotten_after_15_minutes(
    org: Org, store: MemoryStore, told: list[AlertChanged]
) -> None:
    group = make_rulegroup(org, interval_s=240)
    put(store, org, START, 0, instance="a")
    evaluate(group)
    put(store, org, START + seconds(240), 1, instance="a")
    at = evaluate(group)
    assert states(group) == {"a": "resolved"}
    assert [message.status for message in told] == ["firing", "resolved"]
    assert told[-1].ends_at == at
    for _ in range(4):
        evaluate(group)
    assert states(group) == {}
    assert not any(message.is_transition for message in told[2:])
    assert AlertEvent.objects.for_org(org).count() == 2


def test_a_recording_rule_is_seen_by_the_rules_after_it(org: Org, store: MemoryStore) -> None:
    rules: list[dict[str, Any]] = [
        {"record": "job:up:sum", "expr": "sum by (job) (up)", "labels": {"team": "web"}},
        {"alert": "AllDown", "expr": "job:up:sum == 0"},
    ]
    group = make_rulegroup(org, rules=rules)
    put(store, org, START, 0, instance="a", job="api")
    evaluate(group)
    alert = Alert.objects.for_org(org).get()
    assert alert.labels == {"alertname": "AllDown", "job": "api", "team": "web"}


def test_recorded_series_that_end_are_marked_stale(org: Org, store: MemoryStore) -> None:
    group = make_rulegroup(
        org, rules=[{"record": "down", "expr": "up == 0"}], query_offset_ms=5_000
    )
    put(store, org, START - seconds(10), 0, instance="a")
    first = evaluate(group)
    put(store, org, first, 1, instance="a")
    second = evaluate(group)
    offset = seconds(5)
    found = store.select(
        org.uid,
        [Matcher("__name__", MatchOp.EQUAL, "down")],
        to_ms(first - offset),
        to_ms(second - offset),
    )
    assert found.timestamps_ms.tolist() == [to_ms(first - offset), to_ms(second - offset)]
    assert found.values[0] == 0
    assert math.isnan(found.values[1])


def test_an_error_is_the_rules_own_and_its_neighbours_go_on(org: Org, store: MemoryStore) -> None:
    rules: list[dict[str, Any]] = [
        {"alert": "Broken", "expr": "up * on (instance) group_left () up"},
        {"alert": "Down", "expr": "up == 0"},
    ]
    group = make_rulegroup(org, rules=rules)
    put(store, org, START, 0, instance="a", n="1")
    put(store, org, START, 0, instance="a", n="2")
    evaluate(group)
    broken = first_rule(group)
    assert broken.health == "err"
    assert "many-to-many" in broken.last_error or "duplicate" in broken.last_error
    assert Alert.objects.for_org(org).count() == 2


def test_rules_see_only_the_series_of_their_org(
    org: Org, store: MemoryStore, told: list[AlertChanged]
) -> None:
    put(store, make_org("other"), START, 0, instance="a")
    evaluate(make_rulegroup(org))
    assert told == []


def test_an_evaluation_of_a_lost_lease_writes_nothing(
    org: Org, store: MemoryStore, told: list[AlertChanged]
) -> None:
    group = make_rulegroup(org)
    put(store, org, START, 0, instance="a")
    epoch, at = claim(group)
    groups_claim_due(owner="b", now=at + seconds(LEASE_S))
    with pytest.raises(LeaseLostError):
        group_evaluate(group_id=group.pk, epoch=epoch, now=at)
    assert (states(group), told) == ({}, [])


def test_a_lease_lost_while_evaluating_rolls_everything_back(
    org: Org, store: MemoryStore, told: list[AlertChanged], monkeypatch: pytest.MonkeyPatch
) -> None:
    group = make_rulegroup(org)
    put(store, org, START, 0, instance="a")
    epoch, at = claim(group)
    append = store.append

    def append_slowly(tenant: str, samples: object) -> object:
        groups_claim_due(owner="b", now=at + seconds(LEASE_S))
        return append(tenant, samples)  # type: ignore[arg-type]  # passed on

    monkeypatch.setattr(store, "append", append_slowly)
    with pytest.raises(LeaseLostError):
        group_evaluate(group_id=group.pk, epoch=epoch, now=at)
    assert (states(group), told) == ({}, [])
    assert AlertEvent.objects.for_org(org).count() == 0


def test_a_slot_done_again_after_a_kill_leads_to_the_same(
    org: Org, store: MemoryStore, told: list[AlertChanged], monkeypatch: pytest.MonkeyPatch
) -> None:
    group = make_rulegroup(org, rules=[{"alert": "Down", "expr": "up == 0", "for": "15s"}])
    put(store, org, START, 0, instance="a")
    evaluate(group)
    epoch, at = claim(group)
    with monkeypatch.context() as killed:
        killed.setattr(RuleGroup, "__str__", lambda self: self.name)
        killed.setattr("apps.alerting.services.groups._finish", _die)
        with pytest.raises(KeyboardInterrupt):
            group_evaluate(group_id=group.pk, epoch=epoch, now=at)
    assert (states(group), told) == ({"a": "pending"}, [])
    (again,) = groups_claim_due(owner="b", now=at + seconds(LEASE_S))
    group_evaluate(group_id=group.pk, epoch=again.epoch, now=at)
    assert states(group) == {"a": "firing"}
    assert [message.starts_at for message in told] == [at]


def _die(*arguments: object, **named: object) -> None:
    raise KeyboardInterrupt


def test_evaluations_missed_pause_for_and_are_counted(org: Org, store: MemoryStore) -> None:
    group = make_rulegroup(org, rules=[{"alert": "Down", "expr": "up == 0", "for": "60s"}])
    put(store, org, START, 0, instance="a")
    first = evaluate(group)
    late = first + seconds(60)
    put(store, org, late, 0, instance="a")
    (claimed,) = groups_claim_due(owner="a", now=late)
    group_evaluate(group_id=group.pk, epoch=claimed.epoch, now=late + seconds(1))
    group.refresh_from_db()
    assert group.missed_iterations == 3
    assert group.last_eval_at == late
    alert = Alert.objects.for_org(org).get()
    assert (alert.state, alert.active_at) == ("pending", late)


def test_everything_due_is_evaluated_in_one_call(org: Org, store: MemoryStore) -> None:
    made = [make_rulegroup(org, f"group-{number}") for number in range(9)]
    now = START + seconds(16)
    assert groups_evaluate_due(owner="a", clock=lambda: now) == 9
    assert groups_evaluate_due(owner="a", clock=lambda: now) == 0
    for group in made:
        group.refresh_from_db()
        assert group.last_eval_at is not None


def test_one_group_that_fails_does_not_stop_the_others(
    org: Org, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, fine = make_rulegroup(org, "broken"), make_rulegroup(org, "fine")
    surroundings_of = groups.surroundings_of

    def failing(group: RuleGroup) -> object:
        if group.pk == broken.pk:
            raise RuntimeError("boom")
        return surroundings_of(group)

    monkeypatch.setattr(groups, "surroundings_of", failing)
    groups_evaluate_due(owner="a", clock=lambda: START + seconds(16))
    fine.refresh_from_db()
    broken.refresh_from_db()
    assert fine.last_eval_at is not None
    assert broken.last_eval_at is None


def test_a_rule_that_keeps_name_and_labels_keeps_its_alerts(
    org: Org, store: MemoryStore, told: list[AlertChanged]
) -> None:
    group = make_rulegroup(org)
    put(store, org, START, 0, instance="a")
    at = evaluate(group)
    rules: list[dict[str, Any]] = [
        {"record": "x", "expr": "1"},
        {"alert": "Down", "expr": "up < 1", "annotations": {"a": "b"}},
    ]
    change_rulegroup(group, rules=rules, now=at)
    evaluate(group)
    alert = Alert.objects.for_org(org).get()
    assert (alert.state, alert.fired_at, alert.annotations) == ("firing", at, {"a": "b"})
    assert len(told) == 1


ENDINGS: list[tuple[dict[str, Any], str]] = [
    ({"rules": [{"alert": "Other", "expr": "up == 0"}]}, "RuleDeleted"),
    ({"rules": [{**DOWN, "labels": {"a": "b"}}]}, "Updated"),
    ({"rules": [{**DOWN, "enabled": False}]}, "Paused"),
    ({"rules": [DOWN], "is_enabled": False}, "Paused"),
]


@pytest.mark.parametrize(("change", "reason"), ENDINGS)
@pytest.mark.django_db(transaction=True)
def test_alerts_of_rules_that_end_are_told_to_have_ended(
    change: dict[str, Any],
    reason: str,
    org: Org,
    store: MemoryStore,
    told: list[AlertChanged],
) -> None:
    group = make_rulegroup(org)
    put(store, org, START, 0, instance="a")
    at = evaluate(group)
    change_rulegroup(group, now=at + seconds(1), **change)
    assert Alert.objects.for_org(org).count() == 0
    assert [message.status for message in told] == ["firing", "resolved"]
    assert told[-1].annotations["detectviz_reason"] == reason
    newest = AlertEvent.objects.for_org(org).first()
    assert newest is not None
    assert (newest.state, newest.reason) == ("resolved", reason)
    after_ms = to_ms(at + seconds(1))
    matcher = Matcher("__name__", MatchOp.EQUAL, "ALERTS")
    assert len(store.select(org.uid, [matcher], after_ms, after_ms)) == 1


def test_alerts_lie_in_the_folder_of_their_group(org: Org, store: MemoryStore) -> None:
    first, second = make_folder(org, "first"), make_folder(org, "second")
    group = make_rulegroup(org, folder=first)
    put(store, org, START, 0, instance="a")
    at = evaluate(group)
    assert Alert.objects.for_org(org).get().folder == first
    change_rulegroup(group, rules=[DOWN], now=at, folder=second)
    assert Alert.objects.for_org(org).get().folder == second


def test_a_change_fences_out_an_evaluation_under_way(org: Org, store: MemoryStore) -> None:
    group = make_rulegroup(org)
    epoch, at = claim(group)
    change_rulegroup(group, rules=[], now=at)
    with pytest.raises(LeaseLostError):
        group_evaluate(group_id=group.pk, epoch=epoch, now=at)


INSTANCES = st.builds(
    Instance,
    fingerprint=st.just("0123456789abcdef"),
    labels=st.dictionaries(st.text("abc_", min_size=1), st.text(max_size=5)),
    annotations=st.dictionaries(st.text("abc_", min_size=1), st.text(max_size=5)),
    state=st.sampled_from([AlertState.PENDING, AlertState.FIRING, AlertState.RESOLVED]),
    active_at_ms=st.integers(0, 4_000_000_000_000),
    value=st.floats(),
    fired_at_ms=st.none() | st.integers(0, 4_000_000_000_000),
    keep_firing_since_ms=st.none() | st.integers(0, 4_000_000_000_000),
    resolved_at_ms=st.none() | st.integers(0, 4_000_000_000_000),
    last_sent_at_ms=st.none() | st.integers(0, 4_000_000_000_000),
    condition=st.none() | st.sampled_from(AlertCondition),
)


@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    instance=INSTANCES.filter(
        lambda one: (
            "\0" not in str([*one.labels.values(), *one.annotations.values()])
            and not any(
                "\ud800" <= character <= "\udfff" or character == "\0"
                for text in [*one.labels.values(), *one.annotations.values()]
                for character in text
            )
        )
    )
)
def test_what_is_written_reads_back_the_same(org: Org, instance: Instance) -> None:
    Alert.objects.for_org(org).delete()
    group = RuleGroup.objects.for_org(org).filter(name="round").first()
    rule = first_rule(group or make_rulegroup(org, "round"))
    row_of(rule, instance).save()
    read = instance_of(Alert.objects.for_org(org).filter(rule=rule).get())
    assert row_key(read) == row_key(instance)


def at_its_slot(group: RuleGroup) -> None:
    """Evaluate a group at its next slot, whichever other is due before it."""
    group.refresh_from_db()
    assert group.next_due_at is not None
    group_evaluate(group_id=group.pk, epoch=group.epoch, now=group.next_due_at)


def test_an_org_has_no_more_alerts_than_it_may(
    org: Org, store: MemoryStore, settings: Settings
) -> None:
    settings.ALERTS_PER_ORG = 3
    first = make_rulegroup(org, "first")
    other = {"alert": "Other", "expr": "up == 0"}
    second = make_rulegroup(org, "second", rules=[other, {"alert": "Third", "expr": "up == 2"}])
    put(store, org, START, 0, instance="a")
    put(store, org, START, 0, instance="b")
    put(store, org, START, 2, instance="c")
    at_its_slot(first)
    at_its_slot(second)
    assert set(states(first)) == {"a", "b"}
    assert set(states(second)) == {"c"}
    assert "exceeded limit of the organisation with 2 alerts" in first_rule(second).last_error
    at_its_slot(first)
    assert first_rule(first).last_error == ""
    settings.ALERTS_PER_ORG = 0
    at_its_slot(second)
    assert set(states(second)) == {"a", "b", "c"}


def test_a_rule_has_a_limit_of_its_own(org: Org, store: MemoryStore) -> None:
    rules = [{**DOWN, "limit": 1}, {"alert": "Other", "expr": "up == 0"}]
    group = make_rulegroup(org, rules=rules, limit=2)
    put(store, org, START, 0, instance="a")
    put(store, org, START, 0, instance="b")
    evaluate(group)
    assert first_rule(group).last_error == "exceeded limit of 1 with 2 alerts"
    assert Alert.objects.for_org(org).filter(rule__name="Other").count() == 2


def test_a_flapping_alert_is_marked_and_remembered_but_not_listed(
    org: Org, store: MemoryStore
) -> None:
    rule = {**DOWN, "low_flap_threshold": 5, "high_flap_threshold": 15}
    group = make_rulegroup(org, rules=[rule])
    at = START
    for value in (0, 1, 0, 1):
        put(store, org, at, value, instance="a")
        memory.clear()  # as if another process went on
        at = evaluate(group)
    row = Alert.objects.for_org(org).get()
    assert (row.state, row.is_flapping, len(row.flips)) == ("resolved", True, 4)
    Alert.objects.for_org(org).update(state=AlertState.INACTIVE, resolved_at=None)
    assert not alert_queryset(org).exists()


@pytest.mark.usefixtures("store")
def test_a_group_that_the_database_failed_is_given_back_at_once(org: Org) -> None:
    group = make_rulegroup(org)
    epoch, at = claim(group)
    failures = ["deadlock detected"]

    def fail_once(execute: Any, sql: str, params: Any, many: Any, context: Any) -> Any:
        if failures and sql.startswith('UPDATE "alerting_rulegroup"'):
            raise OperationalError(failures.pop())
        return execute(sql, params, many, context)

    with connection.execute_wrapper(fail_once):
        claim_evaluate(Claim(group_id=group.pk, epoch=epoch), clock=lambda: at)
    group.refresh_from_db()
    assert (group.last_eval_at, group.lease_until) == (None, None)
    (again,) = groups_claim_due(owner="b", now=at)
    assert again.epoch == epoch + 1


def test_a_group_of_a_killed_worker_is_free_when_the_next_one_starts(org: Org) -> None:
    group = make_rulegroup(org)
    _, at = claim(group)
    publish(WorkerStarts())
    assert groups_claim_due(owner="b", now=at) == []
    with subprocess.Popen(["true"]) as process:
        process.wait()
    machine, _, life = process_owner().rpartition("/")
    dead = f"{machine}/{life.partition(':')[0]}:{process.pid}:0badcafe"
    RuleGroup.all_orgs.filter(pk=group.pk).update(lease_owner=dead)
    publish(WorkerStarts())
    assert len(groups_claim_due(owner="b", now=at)) == 1
