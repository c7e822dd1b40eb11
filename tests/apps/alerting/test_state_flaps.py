"""Flapping, as Sensu tells it."""

from dataclasses import replace

import pytest

from apps.alerting.enums import AlertState
from apps.alerting.services.state_flaps import flap_percent
from apps.alerting.services.state_machine import alerts_step
from apps.alerting.services.state_values import Answer, Element, FlapTerms, Instance, RuleTerms

S = 1000
RULE = RuleTerms(name="Up", interval_ms=10 * S, flapping=FlapTerms(low=10, high=30))
ELEMENT = Element(labels={"alertname": "Up"}, annotations={}, value=1.0)


def played(rule: RuleTerms, pattern: str) -> list[Instance | None]:
    """Return the alert after each evaluation; 1 holds, 0 does not."""
    instances: tuple[Instance, ...] = ()
    found: list[Instance | None] = []
    for place, mark in enumerate(pattern):
        outcome = Answer(elements=(ELEMENT,)) if mark == "1" else Answer()
        before = place * 10 * S if place else None
        step = alerts_step(
            rule, instances, outcome, at_ms=(place + 1) * 10 * S, previous_at_ms=before
        )
        instances = step.instances
        found.append(instances[0] if instances else None)
        assert sum(m.is_transition for m in step.notifications) <= 1
    return found


def test_changes_weigh_more_the_newer_they_are() -> None:
    newest = flap_percent([200], interval_ms=10, at_ms=200)
    oldest = flap_percent([10], interval_ms=10, at_ms=200)
    assert newest == pytest.approx(6.0)
    assert oldest == pytest.approx(0.82 / 20 * 100)
    assert flap_percent([0], interval_ms=10, at_ms=200) == 0.0
    assert flap_percent(range(10, 201, 10), interval_ms=10, at_ms=200) == pytest.approx(101.0)


def test_an_alert_that_changes_often_flaps_and_one_that_stays_ceases_to() -> None:
    found = played(RULE, "0" * 5 + "10" * 4 + "1" * 25)
    flapping = [bool(one and one.is_flapping) for one in found]
    assert flapping.index(True) == 5 + 5  # the sixth change within the window
    assert not flapping[-1]
    assert flapping[-20]  # still, between the thresholds


def test_one_outage_is_no_flapping() -> None:
    assert not any(one and one.is_flapping for one in played(RULE, "00111111100000000"))


def test_what_is_over_is_remembered_while_it_may_flap() -> None:
    rule = replace(RULE, for_ms=0)
    found = played(rule, "1" + "0" * 130)
    kept = [one for one in found if one is not None]
    assert kept[-1].state is AlertState.RESOLVED
    assert found[-1] is None
    pending = played(replace(RULE, for_ms=20 * S), "1110" + "1000" * 3)
    assert pending[-1] is not None
    assert pending[-1].flips


def test_an_alert_nobody_watches_has_no_story() -> None:
    found = played(replace(RULE, flapping=None), "1010101010")
    assert all(one is None or (one.flips, one.is_flapping) == ((), False) for one in found)


def test_switching_the_watch_off_forgets_the_story() -> None:
    before = played(RULE, "10101")[-1]
    assert before is not None
    step = alerts_step(
        replace(RULE, flapping=None),
        (before,),
        Answer(elements=(ELEMENT,)),
        at_ms=60 * S,
        previous_at_ms=50 * S,
    )
    assert step.instances[0].flips == ()
