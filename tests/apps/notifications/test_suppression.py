"""What is held back, on a clock the test turns, and what the ledger says of it."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from apps.alerting.models import RuleGroup
from apps.notifications.models import (
    AlertGroup,
    ContactPoint,
    InhibitionRule,
    NotificationRecord,
    Silence,
    SuppressionEntry,
    TimeInterval,
)
from apps.notifications.services.answers import suppressions_of
from apps.notifications.services.ledger_pages import LedgerPages
from apps.notifications.services.silences import SilenceDraft, silence_expire, silence_write
from apps.orgs.models import Folder
from tests.factories.alerting import make_rulegroup
from tests.factories.dispatch import START, World, configure, world_made
from tests.factories.orgs import make_org

pytestmark = pytest.mark.django_db
TOLD_A: tuple[str, list[str], list[str]] = ("firing", ["a"], [])


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with world_made(monkeypatch) as made:
        yield made


def silence(world: World, *matchers: str, minutes: float = 60, **fields: Any) -> Silence:
    draft = SilenceDraft(
        matcher_sets=[list(matchers)],
        starts_at=fields.pop("starts_at", world.now),
        ends_at=world.now + timedelta(minutes=minutes),
        **fields,
    )
    return silence_write(
        org=world.org, name="quiet", draft=draft, instance=None, actor=None, now=world.now
    )


def inhibit(world: World, *, equal: tuple[str, ...] = ("host",)) -> None:
    InhibitionRule.objects.for_org(world.org).create(
        org=world.org,
        name="critical-mutes-warning",
        source_matchers=['severity="critical"'],
        target_matchers=['severity="warning"'],
        equal=list(equal),
    )


def muted_route(world: World, **options: Any) -> None:
    """Route everything by a child that is muted during the first ten minutes of START's day."""
    TimeInterval.objects.for_org(world.org).create(
        org=world.org,
        name="early",
        intervals=[{"times": [{"start_time": "00:00", "end_time": "00:10"}]}],
    )
    configure_again(world, routes=[{"matchers": ['alertname="Down"'], **options}])


def configure_again(world: World, **options: Any) -> None:
    ContactPoint.objects.for_org(world.org).delete()
    configure(world, **options)


def ledger(world: World) -> list[tuple[str, str, str, bool]]:
    rows = SuppressionEntry.objects.for_org(world.org).order_by("pk")
    return [(row.fingerprint, row.kind, row.ending, row.ended_at is None) for row in rows]


def test_a_silenced_alert_is_not_told_until_a_flush_after_the_end(world: World) -> None:
    silence(world, 'alertname="Down"', minutes=5)
    world.say("a")
    world.run(200)
    assert world.receiver.words == []
    assert ledger(world) == [("a", "silence", "", True)]
    world.run(200)
    assert world.receiver.words == [TOLD_A]
    assert ledger(world) == [("a", "silence", "told", False)]


def test_silenced_alerts_are_left_out_of_what_the_others_are_told_with(world: World) -> None:
    silence(world, 'host="one"')
    world.say("a", host="one")
    world.say("b", host="two")
    world.run(20)
    assert world.receiver.words == [("firing", ["b"], [])]


def test_what_was_told_before_it_was_silenced_repeats_only_by_the_interval(world: World) -> None:
    world.say("a")
    world.run(15)
    silence(world, 'alertname="Down"', minutes=2)
    world.run(290)
    assert world.receiver.words == [TOLD_A]
    world.run(120)
    assert world.receiver.words == [TOLD_A, TOLD_A]


def test_what_is_resolved_while_silenced_is_never_told(world: World) -> None:
    world.say("a")
    world.run(15)
    silence(world, 'alertname="Down"', minutes=5)
    world.say("a", "resolved")
    world.run(600)
    assert world.receiver.words == [TOLD_A]
    assert not AlertGroup.all_orgs.exists()


def test_a_route_may_have_it_told_when_the_silence_is_over(world: World) -> None:
    configure_again(world, notify_resolved_while_muted=True)
    world.say("a")
    world.run(15)
    silence(world, 'alertname="Down"', minutes=5)
    world.say("a", "resolved")
    world.run(280)
    assert world.receiver.words == [TOLD_A]
    world.run(120)
    assert world.receiver.words == [TOLD_A, ("resolved", [], ["a"])]
    assert not AlertGroup.all_orgs.exists()


def test_a_route_may_have_a_resolve_told_at_once(world: World) -> None:
    configure_again(world, resolve_immediately=True)
    world.say("a")
    world.run(15)
    world.say("a", "resolved")
    world.run(3)
    assert world.receiver.words == [TOLD_A, ("resolved", [], ["a"])]


def test_a_silence_shows_in_the_ledger_before_the_group_is_due(world: World) -> None:
    world.say("a")
    world.run(15)
    quiet = silence(world, 'alertname="Down"')
    world.run(1)
    assert ledger(world) == [("a", "silence", "", True)]
    (row,) = SuppressionEntry.objects.for_org(world.org)
    assert (row.causes[0]["name"], row.causes[0]["uid"]) == ("quiet", quiet.uid)
    assert (row.until, row.contact_point) == (quiet.ends_at, "ops")
    silence_expire(silence=quiet, now=world.now)
    world.run(1)
    assert ledger(world) == [("a", "silence", "told", False)]


def test_a_firing_source_inhibits_and_its_end_lets_the_target_be_told(world: World) -> None:
    inhibit(world)
    world.say("a", severity="critical", host="one")
    world.say("b", severity="warning", host="one")
    world.say("c", severity="warning", host="two")
    world.run(15)
    assert world.receiver.words == [("firing", ["a", "c"], [])]
    assert ledger(world) == [("b", "inhibition", "", True)]
    world.say("a", "resolved", severity="critical", host="one")
    world.run(60)
    assert world.receiver.words[1] == ("firing", ["b", "c"], ["a"])
    assert ledger(world) == [("b", "inhibition", "told", False)]


def test_the_chain_says_everything_that_holds_an_alert_back(world: World) -> None:
    inhibit(world, equal=())
    muted_route(world, mute_time_intervals=["early"])
    silence(world, 'host="one"')
    world.say("a", severity="warning", host="one")
    world.say("b", severity="critical")
    world.run(15)
    (row,) = SuppressionEntry.objects.for_org(world.org).filter(
        fingerprint="a", ended_at__isnull=True
    )
    assert [cause["kind"] for cause in row.causes] == ["inhibition", "mute_time", "silence"]
    assert row.until is None


def test_a_muted_route_tells_nothing_and_tells_afterwards(world: World) -> None:
    muted_route(world, mute_time_intervals=["early"])
    world.say("a")
    world.run(590)
    assert world.receiver.words == []
    world.run(120)
    assert world.receiver.words == [TOLD_A]


def test_a_route_with_active_times_tells_only_inside_of_them(world: World) -> None:
    muted_route(world, active_time_intervals=["early"])
    world.say("a")
    world.run(15)
    assert world.receiver.words == [TOLD_A]
    world.now = START + timedelta(minutes=20)
    world.say("b")
    world.run(120)
    assert world.receiver.words == [TOLD_A]
    assert {row[:2] for row in ledger(world) if row[3]} == {
        ("a", "active_time"),
        ("b", "active_time"),
    }


def test_the_ledger_costs_nothing_while_nothing_changes(
    world: World, django_assert_max_num_queries: Any
) -> None:
    silence(world, 'alertname="Down"')
    for fingerprint in ("a", "b", "c", "d"):
        world.say(fingerprint)
    world.run(15)
    assert len(ledger(world)) == 4
    with django_assert_max_num_queries(46):
        world.run(60)  # one flush
    assert len(ledger(world)) == 4


def test_an_alert_over_before_its_group_was_told_is_in_the_ledger(world: World) -> None:
    world.say("a")
    world.run(5)
    world.say("a", "resolved")
    world.run(60)
    assert ledger(world) == [("a", "grouping", "over", False)]


def test_repeats_that_are_not_due_are_listed_with_their_time(world: World) -> None:
    world.say("a")
    world.run(15)
    told_at = NotificationRecord.objects.for_org(world.org).get().sent_at
    pages = LedgerPages(org=world.org, now=world.now, kind="dedup")
    (repeat,) = pages.page(offset=0, limit=10)
    assert (pages.count, repeat.fingerprint, repeat.contact_point) == (1, "a", "ops")
    assert repeat.until is not None
    assert repeat.until - told_at >= timedelta(seconds=300)
    assert "told again every 5m" in repeat.sentence
    (live,) = suppressions_of(org=world.org, fingerprint="a", now=world.now)
    assert live == repeat
    world.run((repeat.until - world.now).total_seconds() - 5)
    assert world.receiver.words == [TOLD_A]
    world.run(30)
    assert world.receiver.words == [TOLD_A, TOLD_A]
    world.say("a", "resolved")
    world.run(120)
    assert LedgerPages(org=world.org, now=world.now, kind="dedup").page(offset=0, limit=10) == []


def test_nobody_to_tell_is_a_reason(world: World) -> None:
    configure_again(world, contact_point="")
    world.say("a")
    world.run(15)
    assert ledger(world) == [("a", "no_route", "", True)]
    world.say("a", "resolved")
    world.run(60)
    assert ledger(world) == [("a", "no_route", "over", False)]


def test_a_new_tree_closes_what_was_written_under_the_old_one(world: World) -> None:
    silence(world, 'alertname="Down"')
    world.say("a")
    world.run(15)
    configure_again(world, group_wait="20s")
    world.run(1)
    assert ledger(world) == [("a", "silence", "rerouted", False), ("a", "silence", "", True)]


def test_another_org_s_silence_holds_nothing_back(world: World) -> None:
    silence(world, 'alertname="Down"')
    Silence.all_orgs.update(org=make_org("globex"))
    world.say("a")
    world.run(15)
    assert world.receiver.words == [TOLD_A]


def test_a_silence_of_a_folder_holds_back_only_what_lies_there(world: World) -> None:
    folder = Folder.objects.for_org(world.org).create(org=world.org, name="shop")
    silence(world, 'alertname="Down"', folder=folder)
    world.say("a")
    world.run(15)
    assert world.receiver.words == [TOLD_A]
    group = make_rulegroup(world.org, "web")
    RuleGroup.objects.for_org(world.org).filter(pk=group.pk).update(folder=folder)
    world.say("b")
    world.run(100)
    assert world.receiver.words == [TOLD_A]
    assert {row[:2] for row in ledger(world)} == {("a", "silence"), ("b", "silence")}


def test_a_recurring_silence_mutes_during_its_occurrences(world: World) -> None:
    silence(
        world,
        'alertname="Down"',
        minutes=24 * 60,
        rrule="FREQ=HOURLY;INTERVAL=1",
        duration_ms=10 * 60_000,
    )
    world.say("a")
    world.run(590)
    assert world.receiver.words == []
    world.run(120)
    assert world.receiver.words == [TOLD_A]
    world.run(3000)
    assert [row[:2] for row in ledger(world) if row[3]] == [("a", "silence")]
