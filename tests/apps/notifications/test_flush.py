"""Groups are flushed together; what waits is rewritten; one that fails keeps no other waiting."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.notifications.enums import DeliveryStatus
from apps.notifications.models import AlertGroup, ContactPoint, Delivery
from apps.notifications.services import flush
from apps.notifications.services.delivery import deliveries_send
from apps.notifications.services.delivery_leases import deliveries_due
from apps.notifications.services.dispatch import PATIENCE, PUT_OFF, dispatch
from apps.notifications.services.flush import flushes_of
from apps.notifications.services.verdict import receiver_verdict
from detectviz.contracts.errors import DeliveryError
from tests.factories.dispatch import START, World, configure, world_made

FLUSHED = START + timedelta(seconds=11)
NEXT = START + timedelta(seconds=72)
LATE = NEXT + PATIENCE  # no worker has begun to tell


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with world_made(monkeypatch) as made:
        yield made


def say_groups(world: World, groups: int, alerts: int = 1) -> None:
    for group in range(groups):
        for alert in range(alerts):
            world.say(f"{group}-{alert}", alertname=f"A{group:03}")
    dispatch(now=START)


@pytest.mark.django_db
def test_more_groups_ask_the_database_no_more(world: World) -> None:
    say_groups(world, 3)
    with CaptureQueriesContext(connection) as few:
        assert dispatch(now=FLUSHED).deliveries == 3
    say_groups(world, 40)
    AlertGroup.all_orgs.update(next_flush_at=FLUSHED)
    with CaptureQueriesContext(connection) as many:
        assert dispatch(now=FLUSHED).deliveries == 37
    assert len(many) <= len(few) + 2


@pytest.mark.django_db
def test_large_groups_are_cut_into_short_transactions(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flush, "MOST_GROUPS", 3)
    monkeypatch.setattr(flush, "MOST_ALERTS", 4)
    say_groups(world, 3, alerts=2)
    say_groups(world, 8)
    world.say("more", alertname="A001")
    for number in range(9):
        world.say(f"many-{number}", alertname="A000")
    dispatch(now=START)
    order = list(AlertGroup.all_orgs.order_by("group_key").values_list("org_id", "pk"))
    sizes = {pk: AlertGroup.all_orgs.get(pk=pk).alerts.count() for _, pk in order}
    cut = [[sizes[pk] for pk in some] for _, some in flushes_of(order)]
    assert cut == [[11], [3], [2, 1, 1], [1, 1, 1]]


@pytest.mark.django_db
def test_what_was_never_attempted_is_rewritten_in_its_place(world: World) -> None:
    world.say("a")
    dispatch(now=START)
    dispatch(now=FLUSHED)
    (waiting,) = Delivery.all_orgs.all()
    world.say("b")
    dispatch(now=START + timedelta(seconds=20))
    point = ContactPoint.all_orgs.get(name="ops")
    point.receivers[0]["notifier"] = "ntfy"
    point.save()
    assert [dispatch(now=each).deliveries for each in (NEXT, LATE)] == [0, 1]
    (rewritten,) = Delivery.all_orgs.all()
    assert (rewritten.uid, rewritten.next_attempt_at) == (waiting.uid, waiting.next_attempt_at)
    assert rewritten.notifier == "ntfy"
    assert sorted(rewritten.firing) == ["a", "b"]
    assert [each["fingerprint"] for each in rewritten.payload["alerts"]] == ["a", "b"]
    assert rewritten.payload["delivery_id"] == waiting.uid
    assert rewritten.flush_number > waiting.flush_number
    assert (
        dispatch(now=LATE + timedelta(seconds=61) + PATIENCE).deliveries == 0
    )  # it says just this


@pytest.mark.django_db
def test_a_group_is_not_flushed_again_while_its_word_waits_for_a_worker(world: World) -> None:
    configure(world, group_interval="5s")
    world.say("a")
    dispatch(now=START)
    dispatch(now=FLUSHED)
    world.say("b")
    soon = FLUSHED + timedelta(seconds=10)
    assert dispatch(now=soon).flushed == 0
    ((waiting, *_),) = deliveries_due(now=soon)
    deliveries_send(delivery_ids=[waiting], clock=lambda: soon)
    assert dispatch(now=soon).deliveries == 1
    last = soon + timedelta(seconds=6) + PATIENCE  # workers may be dead for all we know
    assert [dispatch(now=each).flushed for each in (last - timedelta(seconds=2), last)] == [0, 1]


@pytest.mark.django_db
def test_what_may_have_been_heard_is_superseded(world: World) -> None:
    world.receiver.failures = [DeliveryError("away", reason="serverError")]
    world.say("a")
    world.run(12)
    (failed,) = Delivery.all_orgs.filter(status=DeliveryStatus.PENDING)
    Delivery.all_orgs.update(next_attempt_at=NEXT + timedelta(hours=1))
    world.say("b")
    world.now = START + timedelta(seconds=80)
    dispatch(now=world.now)
    (waiting,) = Delivery.all_orgs.filter(status=DeliveryStatus.PENDING)
    assert waiting.uid != failed.uid
    assert Delivery.all_orgs.get(uid=failed.uid).status == DeliveryStatus.SUPERSEDED


@pytest.mark.django_db
def test_what_is_over_before_anybody_is_told_is_not_told(world: World) -> None:
    world.say("a")
    dispatch(now=START)
    dispatch(now=FLUSHED)
    world.say("a", "resolved")
    dispatch(now=START + timedelta(seconds=20))
    dispatch(now=LATE)
    assert not Delivery.all_orgs.filter(status=DeliveryStatus.PENDING).exists()
    assert not AlertGroup.all_orgs.exists()


@pytest.mark.django_db
def test_one_group_that_fails_keeps_no_other_waiting(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    say_groups(world, 3)

    def fails_for_one(*, view: Any, **others: Any) -> Any:
        if view.firing[0].labels["alertname"] == "A001":
            raise LookupError
        return receiver_verdict(view=view, **others)

    monkeypatch.setattr(flush, "receiver_verdict", fails_for_one)
    report = dispatch(now=FLUSHED)
    assert (report.flushed, report.deliveries) == (2, 2)
    assert "can't be flushed" in caplog.text
    (failed,) = AlertGroup.all_orgs.filter(has_flushed=False)
    assert failed.group_labels == {"alertname": "A001"}
    assert failed.next_flush_at == FLUSHED + PUT_OFF
