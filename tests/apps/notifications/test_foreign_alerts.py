"""Alerts of other programs, as Alertmanager takes them."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.alerting.enums import AlertState
from apps.alerting.models import Alert, AlertEvent
from apps.alerting.services.fingerprints import fingerprint
from apps.alerting.services.handling import Actor, alerts_close, subject_of
from apps.notifications.models import RoutedAlert
from apps.notifications.services import foreign_alerts
from apps.notifications.services.configuration import routing_tree_write
from apps.notifications.services.foreign_alerts import (
    Intake,
    foreign_alerts_accept,
    foreign_alerts_expire,
    foreign_alerts_sweep,
)
from apps.notifications.services.foreign_words import ForeignAlert
from apps.notifications.services.inbox import alerts_receive
from apps.orgs.models import Org
from detectviz.events.types import AlertChanged
from detectviz.resources.errors import InvalidFieldsError
from tests.factories.orgs import make_org

pytestmark = pytest.mark.django_db
START = datetime(2026, 1, 1, tzinfo=UTC)
LABELS = {"alertname": "Down", "job": "web"}


@pytest.fixture
def org() -> Org:
    return make_org()


def send(org: Org, at_s: float = 0, labels: Mapping[str, str] = LABELS, **fields: Any) -> Intake:
    alert = ForeignAlert(labels=labels, **({"annotations": {}} | fields))
    now = after(at_s)
    return foreign_alerts_accept(org_id=org.pk, alerts=[alert], sender="prometheus", now=now)


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def row(org: Org) -> RoutedAlert:
    found: RoutedAlert = RoutedAlert.objects.for_org(org).get()
    return found


def test_an_alert_without_times_starts_now_and_ends_after_the_resolve_timeout(org: Org) -> None:
    assert send(org) == Intake(accepted=1, errors=[])
    assert (row(org).starts_at, row(org).ends_at) == (START, after(300))
    assert row(org).is_timeout


def test_the_resolve_timeout_is_the_org_s_own_and_changing_it_routes_nothing_anew(org: Org) -> None:
    tree = routing_tree_write(org=org, name="default", root={}, instance=None)
    send(org)
    RoutedAlert.objects.for_org(org).update(routed_version=1)
    routing_tree_write(org=org, name="default", root={"resolve_timeout": "1m"}, instance=tree)
    assert row(org).routed_version == 1
    send(org, 10)
    assert row(org).ends_at == after(70)
    assert foreign_alerts_expire(now=after(1000)) == 0  # nobody listened for so long
    assert row(org).ends_at == after(1060)
    with pytest.raises(InvalidFieldsError, match="put it on the root"):
        routing_tree_write(
            org=org, name="default", root={"routes": [{"resolve_timeout": "1m"}]}, instance=tree
        )


def test_an_alert_with_an_end_alone_starts_at_its_end(org: Org) -> None:
    send(org, ends_at=after(60))
    assert (row(org).starts_at, row(org).ends_at) == (after(60), after(60))


def test_an_alert_is_shown_with_its_sender_and_source(org: Org) -> None:
    send(org, generator_url="http://prometheus/graph")
    alert = Alert.objects.for_org(org).get()
    assert (alert.state, alert.sender, alert.is_external) == ("firing", "prometheus", True)
    assert alert.generator_url == "http://prometheus/graph"
    assert (alert.rule_name, alert.group_name) == ("Down", "")


def test_an_alert_that_is_sent_again_is_told_once(org: Org) -> None:
    send(org)
    send(org, 60)
    assert row(org).version == 1
    assert (row(org).starts_at, row(org).ends_at) == (START, after(360))
    assert [event.state for event in AlertEvent.objects.for_org(org)] == ["firing"]


def test_a_repeat_writes_when_it_was_sent_and_ends_and_whatever_else_is_new(org: Org) -> None:
    told: dict[str, Any] = {"starts_at": START, "annotations": {"text": "one"}}
    send(org, **told, generator_url="http://a")
    send(org, 30, **told, generator_url="http://a", ends_at=after(900))
    alert = Alert.objects.for_org(org).get()
    assert (row(org).ends_at, row(org).is_timeout, row(org).updated_at) == (
        after(900),
        False,
        after(30),
    )
    assert (alert.last_sent_at, alert.active_at, alert.fired_at) == (after(30), START, START)
    told["annotations"] = {"text": "two"}
    send(org, 60, **told, generator_url="http://b", ends_at=after(900))
    alert.refresh_from_db()
    assert (row(org).generator_url, row(org).annotations) == ("http://b", {"text": "two"})
    assert (alert.generator_url, alert.annotations) == ("http://b", {"text": "two"})
    assert (row(org).version, AlertEvent.objects.for_org(org).count()) == (1, 1)


def test_a_repeat_of_what_the_pages_have_lost_is_shown_again(org: Org) -> None:
    send(org)
    Alert.objects.for_org(org).delete()
    send(org, 60)
    assert Alert.objects.for_org(org).get().state == AlertState.FIRING


def test_many_alerts_cost_as_many_statements_as_one(
    org: Org, django_assert_num_queries: Any
) -> None:
    def many(first: int, count: int, at_s: float) -> None:
        alerts = [
            ForeignAlert(labels={"alertname": f"A{first + number}"}, annotations={})
            for number in range(count)
        ]
        foreign_alerts_accept(org_id=org.pk, alerts=alerts, sender="", now=after(at_s))

    with CaptureQueriesContext(connection) as one:
        many(0, 1, 0)
    with django_assert_num_queries(len(one)):
        many(1, 700, 0)
    with CaptureQueriesContext(connection) as again:
        many(0, 1, 60)
    with django_assert_num_queries(len(again)):
        many(1, 700, 60)
    assert len(again) <= len(one)


def test_an_end_that_was_named_is_kept_before_one_that_was_guessed(org: Org) -> None:
    send(org, ends_at=after(3600), starts_at=START)
    send(org, 60)
    assert row(org).ends_at == after(3600)


def test_a_resolve_ends_the_alert_and_a_new_fire_begins_it(org: Org) -> None:
    send(org, starts_at=START, ends_at=after(3600))
    send(org, 60, starts_at=START, ends_at=after(59))
    assert row(org).is_resolved
    assert Alert.objects.for_org(org).get().state == AlertState.RESOLVED
    send(org, 120)
    assert row(org).version == 3
    assert not row(org).is_resolved
    states = AlertEvent.objects.for_org(org).order_by("pk").values_list("previous", "state")
    assert list(states) == [
        ("inactive", "firing"),
        ("firing", "resolved"),
        ("resolved", "firing"),
    ]


def test_a_resolve_of_an_unknown_alert_is_dropped(org: Org) -> None:
    assert send(org, starts_at=after(-60), ends_at=after(-1)).accepted == 1
    assert not RoutedAlert.objects.for_org(org).exists()


def test_an_alert_whose_sender_is_silent_ends_by_itself(org: Org) -> None:
    send(org)
    assert foreign_alerts_expire(now=after(299)) == 0
    assert foreign_alerts_expire(now=after(300)) == 1
    assert row(org).is_resolved
    assert Alert.objects.for_org(org).get().state == AlertState.RESOLVED
    assert AlertEvent.objects.for_org(org).first().reason == "SenderSilent"  # type: ignore[union-attr]  # it is there


def test_senders_have_time_to_renew_what_lapsed_while_nobody_listened(org: Org) -> None:
    send(org)
    assert foreign_alerts_expire(now=after(3600)) == 0
    send(org, at_s=3660)
    assert foreign_alerts_expire(now=after(3900)) == 0
    assert row(org).starts_at == START
    assert foreign_alerts_expire(now=after(3960)) == 1


def test_an_end_said_after_nobody_listened_holds_at_once(org: Org) -> None:
    send(org)
    foreign_alerts_expire(now=after(3600))
    send(org, at_s=3610, starts_at=START, ends_at=after(1800))
    assert row(org).is_resolved


def test_resolved_alerts_leave_the_pages_after_a_while(org: Org) -> None:
    send(org)
    foreign_alerts_expire(now=after(300))
    foreign_alerts_sweep(now=after(300 + 899))
    assert Alert.objects.for_org(org).exists()
    foreign_alerts_sweep(now=after(300 + 901))
    assert not Alert.objects.for_org(org).exists()


def test_a_rule_of_the_org_counts_more_than_a_foreign_word(org: Org) -> None:
    word = AlertChanged(
        org_id=org.pk,
        fingerprint=fingerprint(LABELS),
        status="firing",
        labels=LABELS,
        annotations={},
        starts_at=START,
        ends_at=after(600),
        rule_group="web",
        rule="Down",
        value=1.0,
        is_transition=True,
    )
    send(org)
    alerts_receive(events=[word])
    send(org, 60, starts_at=START, ends_at=after(59))
    assert (row(org).rule, row(org).is_resolved, row(org).is_external) == ("Down", False, False)
    foreign_alerts_sweep(now=after(60))
    assert Alert.objects.for_org(org).get().state == AlertState.RESOLVED


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"labels": {}}, "at least one label pair required"),
        ({"labels": {"a": ""}}, "at least one label pair required"),
        ({"labels": {"": "b"}}, 'invalid label set: invalid name ""'),
        ({"labels": {"a": "\0"}}, 'invalid label set: invalid value "\0"'),
        ({"annotations": {"": "x"}}, 'invalid annotations: invalid name ""'),
        (
            {"starts_at": after(60), "ends_at": after(30)},
            "start time must be before end time",
        ),
        (
            {"annotations": {"text": "x" * 65_536}},
            "alert exceeded maximum size: 65559 bytes (limit: 65536 bytes)",
        ),
        ({"labels": {"é" * 513: "x"}}, f'invalid label set: invalid name "{"é" * 513}"'),
        (
            {"labels": {f"l{number}": "x" for number in range(129)}},
            "invalid label set: more than 128 pairs",
        ),
    ],
)
def test_a_wrong_alert_is_refused_in_alertmanagers_words(
    org: Org, fields: Mapping[str, Any], error: str
) -> None:
    assert send(org, **fields) == Intake(accepted=0, errors=[error])
    assert not RoutedAlert.objects.for_org(org).exists()


def test_valid_alerts_are_taken_beside_wrong_ones(org: Org) -> None:
    alerts = [
        ForeignAlert(labels={}, annotations={}),
        ForeignAlert(labels={"a": "b"}, annotations={}),
    ]
    taken = foreign_alerts_accept(org_id=org.pk, alerts=alerts, sender="", now=START)
    assert (taken.accepted, len(taken.errors)) == (1, 1)


def test_an_org_may_have_only_so_many(org: Org, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign_alerts, "MAX_ACTIVE", 1)
    send(org)
    assert send(org, labels={"alertname": "Other"}).errors == [
        "limit of 1 active alerts of other programs reached"
    ]
    assert send(org, 30).errors == []


def test_what_was_closed_by_hand_fires_anew_only_with_a_later_start(org: Org) -> None:
    send(org, starts_at=START)
    alert = Alert.objects.for_org(org).get()
    alerts_close(org=org, actor=Actor(name="alice"), alerts=[subject_of(alert)], now=after(10))
    assert row(org).is_resolved
    assert send(org, 60, starts_at=START).accepted == 1
    assert row(org).is_resolved
    send(org, 600, starts_at=after(590))
    assert not row(org).is_resolved
