"""What people do about alerts, and what holds when."""

from datetime import timedelta

import pytest

from apps.accounts.models import User
from apps.alerting.enums import AlertState, AssigneeKind
from apps.alerting.models import Alert, AlertHandling, HandlingEvent, RuleGroup
from apps.alerting.selectors import (
    alert_closed_list,
    alert_counts,
    alert_open_list,
    handling_map,
)
from apps.alerting.services.groups import group_evaluate
from apps.alerting.services.handling import (
    Actor,
    actor_of,
    alerts_acknowledge,
    alerts_assign,
    alerts_close,
    alerts_comment,
    alerts_snooze,
    alerts_unacknowledge,
    subject_of,
)
from apps.orgs.models import Org
from detectviz.events.types import AlertChanged
from detectviz.promql.memory_store import MemoryStore
from tests.factories.accounts import make_member
from tests.factories.alerting import START, claim, make_rulegroup, put
from tests.factories.orgs import make_org

pytestmark = pytest.mark.django_db
ALICE = Actor(name="alice")


@pytest.fixture
def org() -> Org:
    return make_org("acme")


@pytest.fixture
def group(org: Org, store: MemoryStore, told: list[AlertChanged]) -> RuleGroup:
    """A rule whose alert fires."""
    group = make_rulegroup(org)
    put(store, org, START, 0, instance="a")
    evaluate(group)
    return group


def evaluate(group: RuleGroup) -> None:
    epoch, at = claim(group)
    group_evaluate(group_id=group.pk, epoch=epoch, now=at)
    group.refresh_from_db()


def the_alert(group: RuleGroup) -> Alert:
    found: Alert = Alert.objects.for_org(group.org_id).select_related("rule__group").get()
    return found


def handling(group: RuleGroup) -> AlertHandling | None:
    alert = the_alert(group)
    return handling_map(group.org, [alert]).get(alert.fingerprint)


def later(group: RuleGroup, seconds: int) -> None:
    """Put the group's next slot that much later."""
    due = group.next_due_at
    assert due is not None
    group.next_due_at = due + timedelta(seconds=seconds)
    group.save(update_fields=["next_due_at"])


def test_an_acknowledgement_is_kept_with_the_time_it_took(group: RuleGroup) -> None:
    alert = the_alert(group)
    assert alert.fired_at is not None
    user = make_member(group.org, "alice")
    at = alert.fired_at + timedelta(seconds=90)
    subjects = [subject_of(alert)]
    assert (
        alerts_acknowledge(
            org=group.org, actor=actor_of(user), alerts=subjects, now=at, comment="On it"
        )
        == 1
    )
    row = handling(group)
    assert row is not None
    assert (row.acknowledged_by, row.is_acknowledged(at)) == ("alice", True)
    event = HandlingEvent.objects.for_org(group.org).get()
    assert (event.action, event.after_s, event.comment) == ("acknowledge", 90.0, "On it")
    assert (event.rule_name, event.group_name) == ("Down", "web")
    assert event.actor == User.objects.get(username="alice")


def test_an_acknowledgement_may_end_by_itself_and_be_taken_back(group: RuleGroup) -> None:
    subjects = [subject_of(the_alert(group))]
    now, until = START + timedelta(minutes=1), START + timedelta(minutes=5)
    alerts_acknowledge(org=group.org, actor=ALICE, alerts=subjects, now=now, until=until)
    row = handling(group)
    assert row is not None
    assert row.is_acknowledged(now)
    assert not row.is_acknowledged(until)
    alerts_unacknowledge(org=group.org, actor=ALICE, alerts=subjects, now=now)
    row = handling(group)
    assert row is not None
    assert not row.is_acknowledged(now)


def test_what_was_decided_ends_when_the_alert_resolves(
    group: RuleGroup, store: MemoryStore, org: Org
) -> None:
    alerts_acknowledge(org=org, actor=ALICE, alerts=[subject_of(the_alert(group))], now=START)
    put(store, org, START + timedelta(seconds=15), 1, instance="a")
    evaluate(group)
    assert the_alert(group).state == AlertState.RESOLVED
    assert not AlertHandling.objects.for_org(org).exists()
    assert HandlingEvent.objects.for_org(org).count() == 1


def test_a_closed_alert_is_told_as_over_and_stays_silent_while_its_condition_lasts(
    group: RuleGroup, store: MemoryStore, org: Org, told: list[AlertChanged]
) -> None:
    assert [event.status for event in told] == ["firing"]
    alerts_close(org=org, actor=ALICE, alerts=[subject_of(the_alert(group))], now=START)
    assert told[-1].status == "resolved"
    assert told[-1].annotations["detectviz_reason"] == "ClosedByHand"
    later(group, 120)  # long enough for the rule to say again that it fires
    put(store, org, START + timedelta(seconds=120), 0, instance="a")
    evaluate(group)
    assert the_alert(group).state == AlertState.FIRING
    assert len(told) == 2
    assert list(alert_open_list(org)) == []
    assert list(alert_closed_list(org)) == [the_alert(group)]
    assert alert_counts(org)["firing"] == 0


def test_a_closed_alert_fires_anew_after_its_condition_went_and_came_back(
    group: RuleGroup, store: MemoryStore, org: Org, told: list[AlertChanged]
) -> None:
    alerts_close(org=org, actor=ALICE, alerts=[subject_of(the_alert(group))], now=START)
    put(store, org, START + timedelta(seconds=15), 1, instance="a")
    evaluate(group)
    assert len(told) == 2  # that it is over was told by closing it
    put(store, org, START + timedelta(seconds=30), 0, instance="a")
    evaluate(group)
    assert [event.status for event in told] == ["firing", "resolved", "firing"]
    assert list(alert_open_list(org)) == [the_alert(group)]


def test_what_was_decided_about_an_earlier_firing_says_nothing_of_the_next(
    group: RuleGroup, org: Org
) -> None:
    subject = subject_of(the_alert(group))
    alerts_snooze(
        org=org, actor=ALICE, alerts=[subject], now=START, until=START + timedelta(days=1)
    )
    again = START + timedelta(hours=2)
    Alert.objects.for_org(org).update(active_at=again, fired_at=again)
    assert handling(group) is None
    alerts_assign(
        org=org,
        actor=ALICE,
        alerts=[subject_of(the_alert(group))],
        now=again,
        kind=AssigneeKind.USER,
        assignee="bob",
    )
    row = handling(group)
    assert row is not None
    assert (row.assignee, row.snoozed_until) == ("bob", None)


def test_only_a_comment_can_be_left_on_what_is_over(group: RuleGroup, org: Org) -> None:
    Alert.objects.for_org(org).update(state=AlertState.RESOLVED)
    subjects = [subject_of(the_alert(group))]
    assert alerts_acknowledge(org=org, actor=ALICE, alerts=subjects, now=START) == 0
    assert alerts_close(org=org, actor=ALICE, alerts=subjects, now=START) == 0
    assert alerts_comment(org=org, actor=ALICE, alerts=subjects, now=START, comment="Why?") == 1
