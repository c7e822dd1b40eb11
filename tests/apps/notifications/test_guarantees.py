"""What is guaranteed, in virtual time: a receiver that is away for an hour, senders that pause."""

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, SupportsIndex

import pytest
from django.db import OperationalError, connection

from apps.notifications.enums import DeliveryStatus
from apps.notifications.models import Delivery, NotificationRecord
from apps.notifications.services.delivery import deliveries_send
from apps.notifications.services.delivery_leases import LEASE_S, deliveries_due
from apps.notifications.services.dispatch import dispatch
from apps.notifications.services.endpoints import LONGEST_PAUSE_S
from detectviz.contracts.errors import DeliveryError
from detectviz.contracts.notifier import Notification, NotifierContext, Receipt
from detectviz.events.bus import publish
from detectviz.events.types import WorkerStarts
from detectviz.runtime.leases import process_owner
from tests.factories.dispatch import World, configure, world_made

pytestmark = pytest.mark.django_db
HOUR_S = 3600.0
AWAY = DeliveryError("It is away.", reason="serverError", status_code=503)
BUSY = DeliveryError("Later.", reason="rateLimited", status_code=429, retry_after_s=900)


class Outage(list[Exception]):
    """Fails every attempt and notes when it was made."""

    def __init__(self, world: World, error: DeliveryError) -> None:
        super().__init__([error])
        self.world, self.attempts = world, list[datetime]()

    def pop(self, _place: SupportsIndex = -1) -> Exception:
        self.attempts.append(self.world.now)
        return self[0]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with world_made(monkeypatch) as made:
        configure(made, group_interval="5m", repeat_interval="4h")
        yield made


def outage(world: World, error: DeliveryError = AWAY) -> Outage:
    """Take the receiver away until its failures are cleared."""
    world.receiver.failures = failing = Outage(world, error)
    return failing


def test_who_was_away_for_an_hour_is_told_once_all_that_holds(world: World) -> None:
    failing = outage(world)
    world.say("a")
    world.run(HOUR_S / 3)
    world.say("b")
    world.run(HOUR_S / 3)
    world.say("a", "resolved")
    world.run(HOUR_S / 3)
    assert not world.receiver.told
    assert 5 < len(failing.attempts) <= 20  # five until the breaker opens, then its probes

    failing.clear()
    world.run(LONGEST_PAUSE_S + 60)
    assert world.receiver.words == [("firing", ["b"], ["a"])]
    world.say("b", "resolved")
    world.run(HOUR_S)
    assert world.receiver.words[1:] == [("resolved", [], ["b"])]
    assert not Delivery.all_orgs.filter(status=DeliveryStatus.PENDING).exists()


def test_an_end_that_came_while_the_receiver_was_away_is_told_once(world: World) -> None:
    world.say("a")
    world.run(60)
    failing = outage(world)
    for word in ("resolved", "firing", "resolved"):
        world.say("a", word)
        world.run(HOUR_S / 3)
    failing.clear()
    world.run(LONGEST_PAUSE_S + 60)
    assert world.receiver.words == [("firing", ["a"], []), ("resolved", [], ["a"])]


def test_what_began_and_ended_while_the_receiver_was_away_is_no_burst(world: World) -> None:
    configure(world, group_by=["instance"], group_interval="10m", repeat_interval="4h")
    failing = outage(world)
    items = [f"a{number:02}" for number in range(10)]
    for item in items:
        world.say(item, instance=item)
    world.run(HOUR_S)
    assert len(failing.attempts) < 40  # one breaker for all of them

    failing.clear()
    world.run(2 * LONGEST_PAUSE_S + 60)
    assert sorted(world.receiver.words) == [("firing", [item], []) for item in items]


def test_a_receiver_that_asks_to_wait_is_left_alone_for_so_long(world: World) -> None:
    failing = outage(world, BUSY)
    world.say("a")
    world.run(HOUR_S)
    waits = [after - before for before, after in pairwise(failing.attempts)]
    assert waits
    assert min(waits) >= timedelta(seconds=900)
    failing.clear()
    world.run(1_000)
    assert world.receiver.words == [("firing", ["a"], [])]


@dataclass
class StoppedClock:
    """The clock of a sender that stands still after some looks, while another one is at work."""

    world: World
    looks: int

    def __call__(self) -> datetime:
        self.looks -= 1
        if self.looks == 0:
            self.world.now += timedelta(seconds=LEASE_S + 1)
            work(self.world)
        return self.world.now


def work(world: World) -> None:
    """Do what any other process would do now."""
    dispatch(now=world.now)
    for delivery_id, *_ in deliveries_due(now=world.now):
        deliveries_send(delivery_ids=[delivery_id], clock=lambda: world.now)


def pending(world: World) -> int:
    world.say("a")
    dispatch(now=world.now)
    world.now += timedelta(seconds=11)
    dispatch(now=world.now)
    ((found, *_),) = deliveries_due(now=world.now)
    return found


def test_a_sender_that_wakes_before_the_wire_after_its_lease_sends_nothing(world: World) -> None:
    found = pending(world)
    deliveries_send(delivery_ids=[found], clock=StoppedClock(world, looks=2))
    assert world.receiver.words == [("firing", ["a"], [])]
    delivery = Delivery.all_orgs.get()
    assert (delivery.status, delivery.attempts) == (DeliveryStatus.DELIVERED, 2)


@pytest.mark.parametrize("fails", [False, True])
def test_a_sender_that_wakes_on_the_wire_after_its_lease_writes_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, *, fails: bool
) -> None:
    found = pending(world)
    receiver, arrive = world.receiver, world.receiver.notify
    stops = iter([True])

    def notify(notification: Notification, context: NotifierContext) -> Receipt:
        receipt = arrive(notification, context)
        if next(stops, False):
            world.now += timedelta(seconds=LEASE_S + 1)
            work(world)
            world.say("a", "resolved")
            world.now += timedelta(seconds=301)
            work(world)
            if fails:
                raise AWAY
        return receipt

    monkeypatch.setattr(receiver, "notify", notify)
    deliveries_send(delivery_ids=[found], clock=lambda: world.now)

    said = [item.status.value for item in receiver.told]
    assert said == ["firing", "firing", "resolved"]
    ids = [item.delivery_id for item in receiver.told]
    assert ids[0] == ids[1] != ids[2]
    assert NotificationRecord.all_orgs.get().firing == []
    assert set(Delivery.all_orgs.values_list("status", flat=True)) == {DeliveryStatus.DELIVERED}


class FailingDatabase:
    """Fails the first statement of a kind, as a server that restarts does."""

    def __init__(self, begin: str) -> None:
        self.begin, self.failures = begin, 0

    def __call__(
        self, execute: Callable[..., Any], sql: str, params: Any, many: Any, context: Any
    ) -> Any:
        if sql.startswith(self.begin) and not self.failures:
            self.failures += 1
            raise OperationalError("terminating connection due to administrator command")
        return execute(sql, params, many, context)


@pytest.mark.django_db(transaction=True)
def test_an_answer_is_kept_until_the_database_takes_it(world: World) -> None:
    found = pending(world)
    with connection.execute_wrapper(FailingDatabase('INSERT INTO "notifications_notificationrec')):
        deliveries_send(delivery_ids=[found], clock=lambda: world.now)
    assert world.receiver.words == [("firing", ["a"], [])]
    delivery = Delivery.all_orgs.get()
    assert (delivery.status, delivery.attempts) == (DeliveryStatus.DELIVERED, 1)


def test_what_the_database_failed_before_the_wire_waits_for_no_lease(world: World) -> None:
    found = pending(world)
    with connection.execute_wrapper(FailingDatabase('SELECT "notifications_contactpoint"')):
        deliveries_send(delivery_ids=[found], clock=lambda: world.now)
    assert not world.receiver.told
    assert [one.delivery_id for one in deliveries_due(now=world.now)] == [found]
    work(world)
    assert world.receiver.words == [("firing", ["a"], [])]


def test_what_a_killed_worker_had_leased_is_free_when_the_next_one_starts(world: World) -> None:
    found = pending(world)
    with subprocess.Popen(["true"]) as process:
        process.wait()
    machine, _, life = process_owner().rpartition("/")
    dead = f"{machine}/{life.partition(':')[0]}:{process.pid}:0badcafe"
    lease_until = world.now + timedelta(seconds=LEASE_S)
    Delivery.all_orgs.update(lease_owner=dead, lease_until=lease_until)
    assert deliveries_due(now=world.now) == []
    publish(WorkerStarts())
    assert [one.delivery_id for one in deliveries_due(now=world.now)] == [found]


def test_what_a_living_worker_has_leased_stays_leased(world: World) -> None:
    pending(world)
    lease_until = world.now + timedelta(seconds=LEASE_S)
    Delivery.all_orgs.update(lease_owner=process_owner(), lease_until=lease_until)
    publish(WorkerStarts())
    assert deliveries_due(now=world.now) == []
