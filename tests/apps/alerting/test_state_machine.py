"""The alert state machine against Prometheus' rules, step by step."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.alerting.enums import (
    AlertCondition,
    AlertState,
    ErrorPolicy,
    NoDataPolicy,
    TransitionReason,
)
from apps.alerting.models import Rule
from apps.alerting.services.alert_rows import instance_of, row_key, row_of
from apps.alerting.services.fingerprints import fingerprint
from apps.alerting.services.state_machine import alerts_cleared, alerts_step
from apps.alerting.services.state_values import (
    Answer,
    Element,
    Failure,
    FlapTerms,
    Instance,
    NoData,
    Outcome,
    RuleTerms,
    Step,
)
from detectviz.contracts.types import AlertStatus
from detectviz.tsdb.interface import STALE_NAN_BITS

S = 1000
M = 60 * S
RULE = RuleTerms(name="Down", interval_ms=15 * S)
FALLBACK = Element(labels={"alertname": "Down", "team": "web"}, annotations={}, value=float("nan"))


def seen(*instances: str, value: float = 1.0) -> Answer:
    return Answer(
        elements=tuple(
            Element(
                labels={"alertname": "Down", "instance": name},
                annotations={"value": str(value)},
                value=value,
            )
            for name in instances
        )
    )


NOTHING = Answer()
NO_DATA = NoData(element=FALLBACK)
FAILURE = Failure(message="boom", element=FALLBACK)


class Timeline:
    """Steps a rule through time, one interval apart unless told otherwise."""

    def __init__(self, rule: RuleTerms = RULE, *, interval_s: int = 15) -> None:
        self.rule = rule
        self.interval_s = interval_s
        self.now_ms = 0
        self.previous_ms: int | None = None
        self.instances: tuple[Instance, ...] = ()
        self.last = Step(instances=())

    def step(self, outcome: Outcome, *, at_s: int | None = None) -> Step:
        if at_s is not None:
            self.now_ms = at_s * S
        elif self.previous_ms is not None:
            self.now_ms = self.previous_ms + self.interval_s * S
        self.last = alerts_step(
            self.rule,
            self.instances,
            outcome,
            at_ms=self.now_ms,
            previous_at_ms=self.previous_ms,
        )
        self.instances, self.previous_ms = self.last.instances, self.now_ms
        return self.last

    def states(self) -> list[str]:
        return [instance.state.value for instance in self.instances]


def changes(step: Step) -> list[tuple[str, str]]:
    return [(change.previous.value, change.state.value) for change in step.transitions]


def written(step: Step) -> dict[tuple[str, str], str | float]:
    values: dict[tuple[str, str], str | float] = {}
    for sample in step.samples:
        bits = int(np.float64(sample.value).view(np.uint64))
        key = (sample.labels["__name__"], sample.labels.get("alertstate", ""))
        values[key] = "stale" if bits == STALE_NAN_BITS else sample.value
    return values


def test_without_for_an_element_fires_in_the_same_evaluation() -> None:
    step = Timeline().step(seen("a"))
    (alert,) = step.instances
    assert (alert.state, alert.active_at_ms, alert.fired_at_ms) == (AlertState.FIRING, 0, 0)
    assert changes(step) == [("inactive", "firing")]
    (message,) = step.notifications
    assert message.status is AlertStatus.FIRING
    assert message.is_transition
    assert (message.starts_at_ms, message.ends_at_ms) == (0, 4 * M)


def test_a_long_interval_makes_the_message_valid_for_four_of_them() -> None:
    line = Timeline(replace(RULE, interval_ms=5 * M))
    (message,) = line.step(seen("a")).notifications
    assert message.ends_at_ms == 20 * M


def test_an_element_is_pending_until_for_has_passed_exactly() -> None:
    line = Timeline(replace(RULE, for_ms=30 * S))
    for expected in ("pending", "pending", "firing"):
        line.step(seen("a"))
        assert line.states() == [expected]
    assert line.instances[0].fired_at_ms == 30 * S
    assert line.instances[0].active_at_ms == 0


def test_a_pending_element_that_goes_is_forgotten_without_a_message() -> None:
    line = Timeline(replace(RULE, for_ms=30 * S))
    line.step(seen("a"))
    step = line.step(NOTHING)
    assert step.instances == ()
    assert changes(step) == [("pending", "inactive")]
    assert step.notifications == ()
    assert written(step) == {("ALERTS", "pending"): "stale", ("ALERTS_FOR_STATE", ""): "stale"}


def test_a_firing_element_that_goes_is_resolved_and_told() -> None:
    line = Timeline()
    line.step(seen("a"))
    step = line.step(NOTHING)
    assert line.states() == ["resolved"]
    assert changes(step) == [("firing", "resolved")]
    (message,) = step.notifications
    assert (message.status, message.ends_at_ms) == (AlertStatus.RESOLVED, 15 * S)
    assert message.is_transition
    assert written(step) == {("ALERTS", "firing"): "stale", ("ALERTS_FOR_STATE", ""): "stale"}


def test_a_resolved_alert_is_sent_again_each_minute_and_dropped_after_15_minutes() -> None:
    line = Timeline(interval_s=30)
    line.step(seen("a"))
    line.step(NOTHING)
    sent = [
        line.now_ms // S for _ in range(40) if (line.step(NOTHING).notifications and line.now_ms)
    ]
    assert sent[:3] == [120, 210, 300]  # strictly more than a minute later
    assert all(not message.is_transition for message in line.last.notifications)
    assert line.instances == ()
    assert max(sent) <= 30 + 15 * 60


def test_dropping_a_resolved_alert_is_no_transition() -> None:
    line = Timeline(interval_s=600)
    line.step(seen("a"))
    line.step(NOTHING)
    line.step(NOTHING)
    step = line.step(NOTHING)
    assert step.instances == ()
    assert step.transitions == ()


def test_a_resolved_alert_that_returns_starts_over_as_pending() -> None:
    line = Timeline(replace(RULE, for_ms=15 * S))
    line.step(seen("a"))
    line.step(seen("a"))
    line.step(NOTHING)
    step = line.step(seen("a"))
    (alert,) = step.instances
    assert alert.state is AlertState.PENDING
    assert alert.active_at_ms == 45 * S
    assert (alert.fired_at_ms, alert.resolved_at_ms, alert.last_sent_at_ms) == (None, None, None)
    assert changes(step) == [("inactive", "pending")]


def test_a_firing_alert_is_sent_again_after_more_than_a_minute() -> None:
    line = Timeline(interval_s=20)
    sent = [len(line.step(seen("a")).notifications) for _ in range(8)]
    assert sent == [1, 0, 0, 0, 1, 0, 0, 0]
    line.step(seen("a"))
    assert not line.last.notifications[0].is_transition


def test_values_and_annotations_follow_the_expression() -> None:
    line = Timeline()
    line.step(seen("a", value=1))
    line.step(seen("a", value=2))
    assert line.instances[0].value == 2
    assert line.instances[0].annotations == {"value": "2"}


def test_keep_firing_for_holds_an_absent_element_as_recovering() -> None:
    line = Timeline(replace(RULE, keep_firing_for_ms=30 * S))
    line.step(seen("a"))
    step = line.step(NOTHING)
    assert line.states() == ["recovering"]
    assert line.instances[0].keep_firing_since_ms == 15 * S
    assert written(step) == {("ALERTS", "firing"): 1.0, ("ALERTS_FOR_STATE", ""): 0.0}
    line.step(NOTHING)
    assert line.states() == ["recovering"]
    step = line.step(NOTHING)
    assert line.states() == ["resolved"]
    assert changes(step) == [("recovering", "resolved")]


def test_an_element_that_returns_while_recovering_fires_on_as_before() -> None:
    line = Timeline(replace(RULE, keep_firing_for_ms=30 * S))
    line.step(seen("a"))
    line.step(NOTHING)
    line.step(seen("a"))
    (alert,) = line.instances
    assert (alert.state, alert.fired_at_ms) == (AlertState.FIRING, 0)
    assert alert.keep_firing_since_ms is None
    assert line.last.notifications == ()


def test_raising_for_above_the_active_time_returns_a_firing_alert_to_pending() -> None:
    line = Timeline()
    line.step(seen("a"))
    line.rule = replace(RULE, for_ms=5 * M)
    step = line.step(seen("a"))
    (alert,) = step.instances
    assert (alert.state, alert.fired_at_ms, alert.last_sent_at_ms) == (
        AlertState.PENDING,
        None,
        None,
    )
    assert step.transitions[0].reason is TransitionReason.FOR_RAISED
    (message,) = step.notifications
    assert message.status is AlertStatus.RESOLVED
    assert message.annotations["detectviz_reason"] == "ForRaised"


def test_two_elements_of_one_label_set_are_an_error_that_changes_nothing() -> None:
    line = Timeline()
    line.step(seen("a"))
    step = line.step(seen("b", "b"))
    assert line.states() == ["firing"]
    assert (
        step.error == "vector contains metrics with the same labelset after applying alert labels"
    )
    assert (step.transitions, step.samples, step.notifications) == ((), (), ())


def test_a_limit_exceeded_clears_every_alert_and_is_an_error() -> None:
    line = Timeline(replace(RULE, limit=1))
    line.step(seen("a"))
    step = line.step(seen("a", "b"))
    assert step.instances == ()
    assert step.error == "exceeded limit of 1 with 2 alerts"
    (message,) = step.notifications
    assert message.annotations["detectviz_reason"] == "LimitExceeded"
    assert written(step) == {("ALERTS", "firing"): "stale", ("ALERTS_FOR_STATE", ""): "stale"}


def test_resolved_alerts_do_not_count_towards_the_limit() -> None:
    line = Timeline(replace(RULE, limit=1))
    line.step(seen("a"))
    step = line.step(seen("b"))
    assert step.error is None
    assert sorted(line.states()) == ["firing", "resolved"]


def test_becoming_firing_marks_the_pending_series_stale() -> None:
    line = Timeline(replace(RULE, for_ms=15 * S))
    line.step(seen("a"))
    assert written(line.step(seen("a"))) == {
        ("ALERTS", "firing"): 1.0,
        ("ALERTS_FOR_STATE", ""): 0.0,
        ("ALERTS", "pending"): "stale",
    }


def test_series_are_written_at_the_time_the_query_looked_at() -> None:
    line = Timeline(replace(RULE, query_offset_ms=10 * S))
    step = line.step(seen("a"), at_s=60)
    assert {sample.timestamp_ms for sample in step.samples} == {50 * S}
    assert step.instances[0].active_at_ms == 60 * S


def test_evaluations_missed_do_not_count_towards_for() -> None:
    line = Timeline(replace(RULE, for_ms=60 * S))
    line.step(seen("a"))
    line.step(seen("a"))
    line.step(seen("a"), at_s=15 + 600)
    assert line.states() == ["pending"]
    assert line.instances[0].active_at_ms == 600 * S
    for expected in ("pending", "pending", "firing"):
        line.step(seen("a"))
        assert line.states() == [expected]


def test_one_evaluation_missed_still_counts() -> None:
    line = Timeline(replace(RULE, for_ms=30 * S))
    line.step(seen("a"))
    line.step(seen("a"), at_s=30)
    assert line.states() == ["firing"]


def test_a_gap_leaves_firing_alerts_alone() -> None:
    line = Timeline()
    line.step(seen("a"))
    line.step(seen("a"), at_s=7200)
    (alert,) = line.instances
    assert (alert.state, alert.active_at_ms, alert.fired_at_ms) == (AlertState.FIRING, 0, 0)


def test_an_error_leaves_state_untouched_and_sends_nothing() -> None:
    line = Timeline(replace(RULE, keep_firing_for_ms=30 * S))
    line.step(seen("a"))
    step = line.step(FAILURE, at_s=300)
    assert line.states() == ["firing"]
    assert line.instances[0].condition is AlertCondition.ERROR
    assert step.error == "boom"
    assert (step.transitions, step.samples, step.notifications) == ((), (), ())
    line.step(seen("a"), at_s=315)
    assert line.instances[0].condition is None


def test_the_clock_of_for_runs_on_through_an_error() -> None:
    line = Timeline(replace(RULE, for_ms=30 * S))
    line.step(seen("a"))
    line.step(FAILURE)
    line.step(seen("a"))
    assert line.states() == ["firing"]


@pytest.mark.parametrize(
    ("rule", "outcome"),
    [
        (replace(RULE, on_error=ErrorPolicy.OK), FAILURE),
        (replace(RULE, no_data=NoDataPolicy.OK), NO_DATA),
    ],
)
def test_the_policy_ok_takes_the_outcome_as_an_empty_answer(
    rule: RuleTerms, outcome: Outcome
) -> None:
    line = Timeline(rule)
    line.step(seen("a"))
    line.step(outcome)
    assert line.states() == ["resolved"]


@pytest.mark.parametrize(
    ("rule", "outcome", "condition"),
    [
        (replace(RULE, on_error=ErrorPolicy.ALERTING), FAILURE, AlertCondition.ERROR),
        (replace(RULE, no_data=NoDataPolicy.ALERTING), NO_DATA, AlertCondition.NO_DATA),
    ],
)
def test_the_policy_alerting_raises_the_rule_itself_and_honours_for(
    rule: RuleTerms, outcome: Outcome, condition: AlertCondition
) -> None:
    line = Timeline(replace(rule, for_ms=15 * S))
    line.step(outcome)
    line.step(outcome)
    (alert,) = line.instances
    assert (alert.state, alert.condition) == (AlertState.FIRING, condition)
    assert alert.labels == {"alertname": "Down", "team": "web"}
    assert alert.annotations["detectviz_reason"] in {"NoData", "Error"}
    line.step(NOTHING)
    assert line.states() == ["resolved"]


@pytest.mark.parametrize(
    ("rule", "outcome"),
    [
        (replace(RULE, on_error=ErrorPolicy.ALERTING), FAILURE),
        (replace(RULE, no_data=NoDataPolicy.ALERTING), NO_DATA),
        (replace(RULE, no_data=NoDataPolicy.KEEP_LAST), NO_DATA),
    ],
)
def test_alerting_and_keep_last_carry_present_alerts_on(rule: RuleTerms, outcome: Outcome) -> None:
    line = Timeline(replace(rule, for_ms=30 * S))
    line.step(seen("a"))
    line.step(outcome)
    line.step(outcome)
    (alert,) = line.instances
    assert (alert.state, alert.value) == (AlertState.FIRING, 1.0)
    assert alert.labels["instance"] == "a"


def test_keep_last_without_alerts_raises_none() -> None:
    line = Timeline(replace(RULE, no_data=NoDataPolicy.KEEP_LAST))
    assert line.step(NO_DATA).instances == ()


@pytest.mark.parametrize(
    ("rule", "outcome", "name", "reason"),
    [
        (replace(RULE, on_error=ErrorPolicy.ERROR), FAILURE, "DatasourceError", "Error"),
        (replace(RULE, no_data=NoDataPolicy.NO_DATA), NO_DATA, "DatasourceNoData", "NoData"),
    ],
)
def test_a_special_alert_keeps_the_rule_labels_and_holds_the_others(
    rule: RuleTerms, outcome: Outcome, name: str, reason: str
) -> None:
    line = Timeline(rule)
    line.step(seen("a"))
    step = line.step(outcome)
    held, special = step.instances
    assert (held.labels["instance"], held.state) == ("a", AlertState.FIRING)
    assert special.labels == {
        "alertname": name,
        "rulename": "Down",
        "team": "web",
        "detectviz_reason": reason,
    }
    assert special.state is AlertState.FIRING
    line.step(seen("a"))
    assert [(i.labels["alertname"], i.state.value) for i in line.instances] == [
        (name, "resolved"),
        ("Down", "firing"),
    ]


def test_no_data_turning_into_an_error_ends_the_first_special_alert() -> None:
    line = Timeline(replace(RULE, on_error=ErrorPolicy.ERROR, no_data=NoDataPolicy.NO_DATA))
    line.step(NO_DATA)
    line.step(FAILURE)
    assert {(i.labels["alertname"], i.state.value) for i in line.instances} == {
        ("DatasourceNoData", "resolved"),
        ("DatasourceError", "firing"),
    }


def test_clearing_a_removed_rule_tells_what_fired_and_why() -> None:
    line = Timeline(replace(RULE, for_ms=15 * S))
    line.step(seen("a"))
    line.step(seen("a", "b"))
    step = alerts_cleared(RULE, line.instances, at_ms=20 * S, reason=TransitionReason.RULE_DELETED)
    assert changes(step) == [("pending", "inactive"), ("firing", "resolved")] or changes(step) == [
        ("firing", "resolved"),
        ("pending", "inactive"),
    ]
    (message,) = step.notifications
    assert message.labels["instance"] == "a"
    assert message.annotations["detectviz_reason"] == "RuleDeleted"


FINGERPRINTS = [fingerprint({"alertname": "Down", "instance": name}) for name in "abc"]
SOME = st.sets(st.sampled_from(FINGERPRINTS)).map(frozenset)
OUTCOMES = st.one_of(
    st.builds(
        lambda names, gone, recovered: replace(
            seen(*sorted(names)), gone=gone, recovered=recovered
        ),
        st.sets(st.sampled_from("abc")),
        SOME,
        SOME,
    ),
    st.just(FAILURE),
    st.just(NO_DATA),
)
RULES = st.builds(
    RuleTerms,
    name=st.just("Down"),
    for_ms=st.sampled_from([0, 15 * S, 40 * S]),
    keep_firing_for_ms=st.sampled_from([0, 15 * S, 100 * S]),
    no_data=st.sampled_from(NoDataPolicy),
    on_error=st.sampled_from(ErrorPolicy),
    interval_ms=st.just(15 * S),
    limit=st.sampled_from([0, 2]),
    room=st.sampled_from([None, 2]),
    has_recovery=st.booleans(),
    missing_evaluations=st.sampled_from([0, 2, 3]),
    flapping=st.sampled_from([None, FlapTerms(low=5, high=20)]),
)


def reloaded(instances: tuple[Instance, ...]) -> tuple[Instance, ...]:
    rule = Rule(pk=1, uid="r", org_id=1)
    rows = [row_of(rule, instance) for instance in instances]
    texts = [json.dumps([row.labels, row.annotations, row.flips]) for row in rows]
    for row, text in zip(rows, texts, strict=True):
        row.labels, row.annotations, row.flips = json.loads(text)
    return tuple(instance_of(row) for row in rows)


def comparable(step: Step) -> object:
    return (
        sorted((item.fingerprint, row_key(item)) for item in step.instances),
        [
            (change.instance.fingerprint, *pair)
            for change, pair in zip(step.transitions, changes(step), strict=True)
        ],
        sorted(
            (str(sorted(s.labels.items())), s.timestamp_ms, repr(s.value)) for s in step.samples
        ),
        sorted((m.fingerprint, m.status, m.starts_at_ms, m.ends_at_ms) for m in step.notifications),
        step.error,
    )


@settings(max_examples=150)
@given(
    rule=RULES,
    steps=st.lists(st.tuples(OUTCOMES, st.integers(1, 80), st.booleans()), max_size=20),
)
def test_a_restart_between_any_two_steps_changes_nothing(
    rule: RuleTerms, steps: list[tuple[Outcome, int, bool]]
) -> None:
    steady, restarted, now_s = Timeline(rule), Timeline(rule), 0
    for outcome, wait_s, restarts in steps:
        now_s += wait_s
        if restarts:
            restarted.instances = reloaded(restarted.instances)
        one = steady.step(outcome, at_s=now_s)
        other = restarted.step(outcome, at_s=now_s)
        assert comparable(one) == comparable(other)


@settings(max_examples=150)
@given(rule=RULES, steps=st.lists(st.tuples(OUTCOMES, st.integers(1, 80)), max_size=25))
def test_the_invariants_of_a_timeline_hold(
    rule: RuleTerms, steps: list[tuple[Outcome, int]]
) -> None:
    line, now_s = Timeline(rule), 0
    for outcome, wait_s in steps:
        before = {item.fingerprint: item for item in line.instances}
        now_s += wait_s
        step = line.step(outcome, at_s=now_s)
        assert len({item.fingerprint for item in step.instances}) == len(step.instances)
        for item in step.instances:
            assert item.is_firing <= (item.fired_at_ms is not None)
            assert (item.state is AlertState.RESOLVED) == (item.resolved_at_ms is not None)
            assert item.active_at_ms <= line.now_ms
            assert item.missed < max(1, rule.missing_evaluations)
            assert not item.is_flapping or item.flips
            if rule.flapping is None:
                assert item.state is not AlertState.INACTIVE
        for change in step.transitions:
            assert change.previous is not change.state
            known = before.get(change.instance.fingerprint)
            was = known.state if known and known.is_active else AlertState.INACTIVE
            assert change.previous is was
        keys = [(frozenset(s.labels.items()), s.timestamp_ms) for s in step.samples]
        assert len(keys) == len(set(keys))
