"""How alerts end: recovery, missing series, reasons, limits of an org."""

from dataclasses import replace

import pytest

from apps.alerting.enums import (
    AlertCondition,
    AlertState,
    ErrorPolicy,
    NoDataPolicy,
    TransitionReason,
)
from apps.alerting.services.fingerprints import fingerprint
from apps.alerting.services.state_machine import alerts_step
from apps.alerting.services.state_values import (
    Answer,
    Element,
    Failure,
    Instance,
    NoData,
    Outcome,
    RuleTerms,
    Step,
)
from detectviz.contracts.types import AlertStatus

S = 1000
RULE = RuleTerms(name="Hot", interval_ms=15 * S)
BARE = Element(labels={"alertname": "Hot"}, annotations={}, value=float("nan"))
HYSTERESIS = replace(RULE, has_recovery=True)


def key(name: str) -> str:
    return fingerprint({"alertname": "Hot", "host": name})


def seen(*names: str, gone: str = "", recovered: str = "") -> Answer:
    return Answer(
        elements=tuple(
            Element(labels={"alertname": "Hot", "host": name}, annotations={}, value=1.0)
            for name in names
        ),
        gone=frozenset(key(name) for name in gone),
        recovered=frozenset(key(name) for name in recovered),
    )


class Line:
    """Steps a rule through time, one interval apart."""

    def __init__(self, rule: RuleTerms) -> None:
        self.rule = rule
        self.now_ms = 0
        self.instances: tuple[Instance, ...] = ()

    def step(self, outcome: Outcome) -> Step:
        before = self.now_ms or None
        self.now_ms += self.rule.interval_ms
        step = alerts_step(
            self.rule, self.instances, outcome, at_ms=self.now_ms, previous_at_ms=before
        )
        self.instances = step.instances
        return step

    def states(self) -> list[str]:
        return [item.state.value for item in self.instances]


def test_what_fires_goes_on_until_the_recovery_expression_holds() -> None:
    line = Line(HYSTERESIS)
    line.step(seen("a"))
    step = line.step(seen())
    assert line.states() == ["recovering"]
    assert [message.status for message in step.notifications] == []
    line.step(seen())
    assert line.states() == ["recovering"]
    step = line.step(seen(recovered="a"))
    assert line.states() == ["resolved"]
    assert [message.status for message in step.notifications] == [AlertStatus.RESOLVED]
    assert step.transitions[0].reason is None


def test_recovery_does_not_end_what_still_holds() -> None:
    line = Line(HYSTERESIS)
    line.step(seen("a"))
    line.step(seen("a", recovered="a"))
    assert line.states() == ["firing"]


def test_recovery_of_one_label_set_leaves_the_others() -> None:
    line = Line(HYSTERESIS)
    line.step(seen("a", "b"))
    line.step(seen(recovered="b"))
    states = {item.labels["host"]: item.state for item in line.instances}
    assert states == {"a": AlertState.RECOVERING, "b": AlertState.RESOLVED}


def test_what_is_pending_needs_no_recovery() -> None:
    line = Line(replace(HYSTERESIS, for_ms=60 * S))
    line.step(seen("a"))
    line.step(seen())
    assert line.instances == ()


def test_keep_firing_for_counts_from_the_recovery() -> None:
    line = Line(replace(HYSTERESIS, keep_firing_for_ms=30 * S))
    line.step(seen("a"))
    line.step(seen())
    assert line.instances[0].keep_firing_since_ms is None
    line.step(seen(recovered="a"))
    assert line.instances[0].keep_firing_since_ms == line.now_ms
    line.step(seen())  # neither holds: the count begins again
    assert line.instances[0].keep_firing_since_ms is None
    for expected in ("recovering", "recovering", "resolved"):
        line.step(seen(recovered="a"))
        assert line.states() == [expected]


def test_a_special_alert_ends_with_its_cause_in_spite_of_recovery() -> None:
    line = Line(replace(HYSTERESIS, no_data=NoDataPolicy.NO_DATA))
    line.step(NoData(element=BARE))
    assert line.states() == ["firing"]
    line.step(seen())
    assert line.states() == ["resolved"]


def test_data_missing_under_the_policy_ok_resolves_in_spite_of_recovery() -> None:
    line = Line(HYSTERESIS)
    line.step(seen("a"))
    step = line.step(NoData(element=BARE))
    assert line.states() == ["resolved"]
    assert step.transitions[0].reason is TransitionReason.NO_DATA
    assert step.notifications[0].annotations["detectviz_reason"] == "NoData"


def test_a_missing_series_keeps_its_alert_for_some_evaluations_and_says_why() -> None:
    line = Line(replace(RULE, missing_evaluations=2))
    line.step(seen("a", "b"))
    line.step(seen("b", gone="a"))
    missing = next(item for item in line.instances if item.labels["host"] == "a")
    assert (missing.state, missing.missed) == (AlertState.FIRING, 1)
    assert missing.reason is TransitionReason.MISSING_SERIES
    step = line.step(seen("b", gone="a"))
    (change,) = step.transitions
    assert (change.state, change.reason) == (
        AlertState.RESOLVED,
        TransitionReason.MISSING_SERIES,
    )
    assert step.notifications[0].annotations["detectviz_reason"] == "MissingSeries"


def test_a_series_that_returns_in_time_counts_anew() -> None:
    line = Line(replace(RULE, missing_evaluations=2))
    line.step(seen("a"))
    line.step(seen(gone="a"))
    line.step(seen("a"))
    assert (line.instances[0].missed, line.instances[0].reason) == (0, None)
    line.step(seen(gone="a"))
    assert line.states() == ["firing"]


def test_a_series_that_is_there_and_does_not_hold_resolves_at_once() -> None:
    line = Line(replace(RULE, missing_evaluations=5))
    line.step(seen("a"))
    line.step(seen())
    assert line.states() == ["resolved"]


def test_what_is_pending_is_forgotten_with_its_series() -> None:
    line = Line(replace(RULE, for_ms=300 * S, missing_evaluations=2))
    line.step(seen("a"))
    line.step(seen(gone="a"))
    assert line.states() == ["pending"]
    step = line.step(seen(gone="a"))
    assert line.instances == ()
    assert step.transitions[0].reason is TransitionReason.MISSING_SERIES
    assert step.notifications == ()


def test_a_series_missing_too_long_ends_what_waits_for_recovery() -> None:
    line = Line(replace(HYSTERESIS, missing_evaluations=2))
    line.step(seen("a"))
    line.step(seen())
    line.step(seen(gone="a"))
    assert line.states() == ["recovering"]
    line.step(seen(gone="a"))
    assert line.states() == ["resolved"]


@pytest.mark.parametrize(
    ("rule", "outcome", "condition", "reason"),
    [
        (
            replace(RULE, on_error=ErrorPolicy.KEEP_LAST),
            Failure(message="boom", element=BARE),
            AlertCondition.ERROR,
            TransitionReason.ERROR,
        ),
        (
            replace(RULE, no_data=NoDataPolicy.KEEP_LAST),
            NoData(element=BARE),
            AlertCondition.NO_DATA,
            TransitionReason.NO_DATA,
        ),
    ],
)
def test_what_is_kept_says_why(
    rule: RuleTerms, outcome: Outcome, condition: AlertCondition, reason: TransitionReason
) -> None:
    line = Line(rule)
    line.step(seen("a"))
    line.step(outcome)
    (alert,) = line.instances
    assert (alert.state, alert.condition, alert.reason) == (AlertState.FIRING, condition, reason)
    line.step(seen("a"))
    assert line.instances[0].reason is None


def test_an_alert_of_an_error_keeps_the_labels_and_tells_the_error() -> None:
    line = Line(replace(RULE, on_error=ErrorPolicy.ERROR))
    line.step(Failure(message="no route", element=BARE, marks={"datasource_uid": "d1"}))
    (alert,) = line.instances
    assert alert.labels == {
        "alertname": "DatasourceError",
        "rulename": "Hot",
        "datasource_uid": "d1",
        "detectviz_reason": "Error",
    }
    assert alert.annotations == {"error": "no route"}


def test_more_alerts_than_the_organisation_may_have_clear_the_rule() -> None:
    line = Line(replace(RULE, room=1))
    line.step(seen("a"))
    assert line.states() == ["firing"]
    step = line.step(seen("a", "b"))
    assert step.instances == ()
    assert step.error is not None
    assert "exceeded limit of the organisation with 2 alerts" in step.error
    assert step.notifications[0].annotations["detectviz_reason"] == "LimitExceeded"
