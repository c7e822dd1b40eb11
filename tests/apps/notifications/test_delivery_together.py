"""Deliveries of one receiver that a worker takes together: as each would be sent by itself."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from apps.notifications.enums import DeliveryStatus
from apps.notifications.models import AlertGroup, Delivery, NotificationRecord
from apps.notifications.services import delivery as sending
from apps.notifications.services.delivery import deliveries_send
from apps.notifications.services.delivery_leases import deliveries_due
from apps.notifications.services.dispatch import dispatch
from detectviz.contracts.errors import DeliveryError
from detectviz.contracts.notifier import Notification, NotifierContext, Receipt
from detectviz.resources.models import new_uid
from tests.factories.dispatch import START, World, world_made

NOW = START + timedelta(minutes=1)
AWAY = DeliveryError("It is away.", reason="serverError", status_code=503)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with world_made(monkeypatch) as made:
        yield made


@pytest.fixture(autouse=True)
def no_haste(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make no difference of how busy this machine is."""
    monkeypatch.setattr(sending, "BEGUN_WITHIN_S", 600.0)
    monkeypatch.setattr(sending, "WRITTEN_WITHIN_S", 600.0)


def due(world: World, count: int) -> list[int]:
    """Have so many groups, each with a delivery that is due; return those of all."""
    for number in range(count):
        world.say(f"{number:02}", alertname=f"A{number:02}")
    dispatch(now=START)
    dispatch(now=NOW)
    return [turn.delivery_id for turn in deliveries_due(now=NOW)]


def statuses() -> list[tuple[str, int]]:
    rows = Delivery.all_orgs.order_by("pk")
    return list(rows.values_list("status", "attempts"))


@pytest.mark.django_db
def test_many_take_hardly_more_statements_than_few(world: World) -> None:
    counts = []
    for count in (1, 2, 12):  # the first of a process reads what plugins are allowed, too
        Delivery.all_orgs.all().delete()
        for number in range(count):
            world.say(f"{count}-{number}", alertname=f"{count}-{number}")
        dispatch(now=START)
        dispatch(now=NOW)
        ids = [turn.delivery_id for turn in deliveries_due(now=NOW)]
        with CaptureQueriesContext(connection) as queries:
            assert deliveries_send(delivery_ids=ids, clock=lambda: NOW) == []
        assert statuses() == [(DeliveryStatus.DELIVERED, 1)] * count
        counts.append(len(queries))
    assert counts[1] == counts[2] < 20
    assert len(world.receiver.told) == NotificationRecord.all_orgs.count() == 15


@pytest.mark.django_db
def test_who_calls_slowly_leaves_the_others_to_others(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, *others = due(world, 3)
    monkeypatch.setattr(sending, "BEGUN_WITHIN_S", 0.0)
    assert deliveries_send(delivery_ids=[first, *others], clock=lambda: NOW) == others
    assert statuses() == [(DeliveryStatus.DELIVERED, 1), *[(DeliveryStatus.PENDING, 0)] * 2]
    assert [turn.delivery_id for turn in deliveries_due(now=NOW)] == others


@pytest.mark.django_db
def test_one_that_is_refused_keeps_no_other_one_back(world: World) -> None:
    ids = due(world, 3)
    world.receiver.failures = [AWAY]
    assert deliveries_send(delivery_ids=ids, clock=lambda: NOW) == []
    delivered = (DeliveryStatus.DELIVERED, 1)
    assert statuses() == [(DeliveryStatus.PENDING, 1), delivered, delivered]


@pytest.mark.django_db
def test_an_open_breaker_holds_the_rest_back(world: World) -> None:
    ids = due(world, 8)
    world.receiver.failures = [AWAY] * 8
    deliveries_send(delivery_ids=ids, clock=lambda: NOW)
    assert len(world.receiver.failures) == 3  # five opened it
    reasons = list(Delivery.all_orgs.order_by("pk").values_list("reason", "attempts"))
    assert reasons == [("serverError", 1)] * 5 + [("circuitOpen", 0)] * 3


@pytest.mark.django_db
def test_an_answer_that_cant_be_kept_spoils_no_other_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrive = world.receiver.notify

    def notify(notification: Notification, context: NotifierContext) -> Receipt:
        arrive(notification, context)
        is_odd = notification.alerts[0].fingerprint == "01"
        return Receipt(status_code=2**70 if is_odd else 200)

    monkeypatch.setattr(world.receiver, "notify", notify)
    deliveries_send(delivery_ids=due(world, 3), clock=lambda: NOW)
    assert [status for status, _ in statuses()] == ["delivered", "pending", "delivered"]
    assert NotificationRecord.all_orgs.count() == 2


@pytest.mark.django_db
def test_what_somebody_else_took_over_is_left_to_them(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids, arrive = due(world, 2), world.receiver.notify

    def notify(notification: Notification, context: NotifierContext) -> Receipt:
        Delivery.all_orgs.filter(pk=ids[0]).update(attempts=2)
        return arrive(notification, context)

    monkeypatch.setattr(world.receiver, "notify", notify)
    deliveries_send(delivery_ids=ids, clock=lambda: NOW)
    assert statuses() == [(DeliveryStatus.PENDING, 2), (DeliveryStatus.DELIVERED, 1)]
    assert NotificationRecord.all_orgs.count() == 1


@pytest.mark.django_db
def test_the_next_word_about_a_group_knows_the_thread_of_the_last(world: World) -> None:
    (first,) = due(world, 1)
    again = Delivery.all_orgs.get(pk=first)
    again.pk, again.uid, again.flush_number = None, new_uid(), again.flush_number + 1
    again.save(force_insert=True)
    deliveries_send(delivery_ids=[first, again.pk], clock=lambda: NOW)
    assert world.receiver.threads == [{}, {"message": 1}]


@pytest.mark.django_db
def test_groups_that_are_over_end_together_and_others_stay(world: World) -> None:
    ids = due(world, 3)
    deliveries_send(delivery_ids=ids, clock=lambda: NOW)
    world.now = later = NOW + timedelta(hours=1)
    for name in ("00", "01"):
        world.say(name, "resolved", alertname=f"A{name}")
    world.say("new", alertname="A01")
    dispatch(now=later)
    dispatch(now=later + timedelta(minutes=10))
    late = later + timedelta(minutes=20)
    words = [turn.delivery_id for turn in deliveries_due(now=late)]
    assert deliveries_send(delivery_ids=words, clock=lambda: late) == []
    assert world.receiver.words[3:] == [
        ("resolved", [], ["00"]),
        ("firing", ["new"], ["01"]),
        ("firing", ["02"], []),
    ]
    left = AlertGroup.all_orgs.order_by("pk").values_list("alerts__fingerprint", flat=True)
    assert list(left) == ["new", "02"]
    told = NotificationRecord.all_orgs.order_by("pk").values_list("firing", "resolved")
    assert list(told) == [([], ["00"]), (["new"], ["01"]), (["02"], [])]


@pytest.mark.usefixtures("shared_database")
def test_workers_that_want_the_same_send_each_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with world_made(monkeypatch) as world:
        ids, barrier = due(world, 6), Barrier(2)

        def send(some: list[int]) -> None:
            barrier.wait()
            try:
                deliveries_send(delivery_ids=some, clock=lambda: NOW)
            finally:
                connections.close_all()

        with ThreadPoolExecutor(2) as pool:
            for done in [pool.submit(send, ids), pool.submit(send, ids[::-1])]:
                done.result()
        assert statuses() == [(DeliveryStatus.DELIVERED, 1)] * 6
        assert len(world.receiver.told) == 6
