"""Silences: Alertmanager's rules of editing, the org's policy, what they would mute."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.core.management import call_command

from apps.alerting.models import AlertEvent
from apps.notifications.enums import SilenceState
from apps.notifications.models import RoutedAlert, RoutingTree, Silence
from apps.notifications.services.blast_radius import blast_radius
from apps.notifications.services.bootstrap import org_prepare
from apps.notifications.services.dispatch import dispatch
from apps.notifications.services.reminders import silences_remind
from apps.notifications.services.retention import history_trim
from apps.notifications.services.silences import (
    SilenceDraft,
    silence_delete,
    silence_expire,
    silence_state,
    silence_write,
)
from apps.orgs.models import Org
from detectviz.clock import utc_now
from detectviz.permissions.access import Access
from detectviz.resources.errors import InvalidFieldsError
from tests.factories.accounts import make_bound_member
from tests.factories.orgs import make_org

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def org() -> Org:
    made = make_org()
    org_prepare(org_id=made.pk)
    return made


def write(
    org: Org, instance: Silence | None = None, *, now: datetime = NOW, **fields: Any
) -> Silence:
    values: dict[str, Any] = {
        "matcher_sets": [['team="web"']],
        "starts_at": NOW,
        "ends_at": NOW + HOUR,
        "comment": "deploy",
    }
    draft = SilenceDraft(**(values | fields))
    return silence_write(org=org, name="quiet", draft=draft, instance=instance, actor=None, now=now)


@pytest.mark.parametrize(
    ("fields", "keeps_id"),
    [
        ({"ends_at": NOW + 2 * HOUR}, True),
        ({"comment": "longer"}, True),
        ({"matcher_sets": [['team="db"']]}, False),
        ({"matcher_sets": [['team="web"'], ['team="db"']]}, False),
        ({"starts_at": NOW + timedelta(minutes=30)}, False),
    ],
)
def test_an_active_silence_keeps_its_id_as_long_as_its_past_stays_true(
    org: Org, fields: dict[str, Any], keeps_id: bool
) -> None:
    first = write(org)
    uid = first.uid
    later = NOW + timedelta(minutes=10)
    second = write(org, Silence.all_orgs.get(), now=later, **fields)
    assert (second.uid == uid) is keeps_id
    assert second.name == "quiet"
    if not keeps_id:
        old = Silence.all_orgs.get(uid=uid)
        assert silence_state(old, later) is SilenceState.EXPIRED
        assert old.ends_at == later
        assert old.matcher_sets == [['team="web"']]


def test_a_pending_silence_may_move_and_an_expired_one_comes_back_as_another(org: Org) -> None:
    soon = write(org, starts_at=NOW + HOUR, ends_at=NOW + 2 * HOUR)
    uid = soon.uid
    moved = write(org, soon, starts_at=NOW + 2 * HOUR, ends_at=NOW + 3 * HOUR)
    assert moved.uid == uid
    over = silence_expire(silence=moved, now=NOW)
    assert silence_state(over, NOW) is SilenceState.EXPIRED
    again = write(org, over, now=NOW + HOUR, starts_at=None, ends_at=NOW + 5 * HOUR)
    assert again.uid != uid


def test_writing_the_same_again_changes_nothing(org: Org) -> None:
    first = write(org)
    write(org, Silence.all_orgs.get(), now=NOW + 2 * HOUR)
    assert Silence.all_orgs.get().uid == first.uid


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"matcher_sets": []}, "spec.matchers"),
        ({"matcher_sets": [['team=""']]}, "spec.matchers"),
        ({"matcher_sets": [['team=~".*"', 'a!="b"']]}, "spec.matchers"),
        ({"matcher_sets": [['team="web"'], ['a=""']]}, "spec.matchers"),
        ({"matcher_sets": [["nonsense"]]}, "spec.matchers"),
        ({"ends_at": NOW}, "spec.ends_at"),
        ({"starts_at": NOW - 2 * HOUR, "ends_at": NOW - HOUR}, "spec.ends_at"),
        ({"rrule": "FREQ=WEEKLY"}, "spec.recurrence.duration"),
        ({"rrule": "FREQ=SECONDLY", "duration_ms": 1}, "spec.recurrence.rrule"),
        ({"rrule": "FREQ=DAILY;COUNT=2", "duration_ms": 1}, "spec.recurrence.rrule"),
        ({"rrule": "often", "duration_ms": 1}, "spec.recurrence.rrule"),
        (
            {"rrule": "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "duration_ms": 1},
            "spec.recurrence.rrule",
        ),
        ({"location": "Mars/Base"}, "spec.recurrence.location"),
    ],
)
def test_what_can_not_be_is_refused_by_its_field(
    org: Org, fields: dict[str, Any], path: str
) -> None:
    with pytest.raises(InvalidFieldsError) as refused:
        write(org, **fields)
    assert path in refused.value.fields


@pytest.mark.parametrize(
    ("policy", "path"),
    [
        ({"min_matchers": 2}, "spec.matchers"),
        ({"required_labels": ["alertname"]}, "spec.matchers"),
        ({"max_duration": "30m"}, "spec.ends_at"),
    ],
)
def test_an_org_may_want_more_of_a_silence(org: Org, policy: dict[str, Any], path: str) -> None:
    tree = RoutingTree.objects.for_org(org).get()
    tree.root = {**tree.root, "silence_policy": policy}
    tree.save()
    with pytest.raises(InvalidFieldsError) as refused:
        write(org)
    assert path in refused.value.fields


def test_a_deleted_silence_is_gone_by_name_and_followed_by_the_dispatcher(org: Org) -> None:
    silence_delete(silence=write(org), now=NOW)
    assert not Silence.objects.for_org(org).filter(name="quiet").exists()
    assert Silence.all_orgs.get().next_change_at == NOW


def test_expired_silences_are_kept_for_five_days(org: Org) -> None:
    write(org)
    history_trim(now=NOW + HOUR + timedelta(hours=119))
    assert Silence.all_orgs.exists()
    history_trim(now=NOW + HOUR + timedelta(hours=121))
    assert not Silence.all_orgs.exists()


def test_the_owner_is_reminded_once(org: Org) -> None:
    write(org, remind_before_ms=10 * 60_000)
    owner = make_bound_member(org, "owner")
    Silence.all_orgs.update(creator=owner)
    assert silences_remind(now=NOW + timedelta(minutes=40)) == 0
    assert silences_remind(now=NOW + timedelta(minutes=51)) == 1
    assert silences_remind(now=NOW + timedelta(minutes=52)) == 0
    assert [message.to for message in mail.outbox] == [[owner.email]]
    assert "quiet" in mail.outbox[0].subject


def test_why_answers_in_sentences(org: Org, capsys: pytest.CaptureFixture[str]) -> None:
    now = utc_now()
    write(org, now=now, starts_at=now, ends_at=now + HOUR, created_by="alice")
    RoutedAlert.objects.for_org(org).create(
        org=org, fingerprint="aa", labels={"alertname": "Down", "team": "web"}, starts_at=now
    )
    dispatch(now=now)
    call_command("why", "--org", org.name, "--label", "team=web")
    told = capsys.readouterr().out
    assert "it is silenced by quiet (alice: deploy)" in told
    assert "the route names no contact point" in told


def test_the_preview_counts_what_is_muted_now_and_what_would_have_been(org: Org) -> None:
    for fingerprint, team in (("aa", "web"), ("bb", "db")):
        labels = {"alertname": "Down", "team": team}
        RoutedAlert.objects.for_org(org).create(
            org=org, fingerprint=fingerprint, labels=labels, starts_at=NOW
        )
        for days in (1, 2, 40):
            AlertEvent.objects.for_org(org).create(
                org=org,
                group_name="web",
                rule_name="Down",
                fingerprint=fingerprint,
                labels=labels,
                previous="pending",
                state="firing",
                value="1",
                at=NOW - timedelta(days=days),
            )
    found = blast_radius(
        org=org,
        access=Access(org_id=org.pk, is_member=True, is_superuser=True),
        matcher_sets=[['team="web"'], ['team="ops"']],
        days=30,
        folder="",
        now=NOW,
    )
    assert (found.firing_count, found.firing_total) == (1, 2)
    assert (found.fired_count, found.fired_total, found.fired_alerts) == (2, 4, 1)
    assert found.fired_by_name == {"Down": 2}
    assert not found.is_partial
