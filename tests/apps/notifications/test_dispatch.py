"""From an alert to a delivery, on a clock the test turns."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from apps.alerting.services.handling import (
    Actor,
    Subject,
    alerts_acknowledge,
    alerts_snooze,
)
from apps.notifications.enums import DeliveryStatus
from apps.notifications.models import (
    AlertGroup,
    ContactPoint,
    Delivery,
    NotificationRecord,
    RoutedAlert,
)
from apps.notifications.selectors import routing_tree_get
from apps.notifications.services import payload
from apps.notifications.services.bootstrap import org_prepare
from apps.notifications.services.configuration import contact_point_write, routing_tree_write
from apps.notifications.services.delivery_leases import deliveries_due
from apps.notifications.services.dispatch import dispatch
from apps.notifications.services.threads import thread_of, thread_stored
from detectviz.contracts.errors import DeliveryError
from detectviz.contracts.notifier import (
    NotificationAction,
)
from detectviz.contracts.types import JsonObject
from detectviz.events.bus import publish
from detectviz.events.types import SoleWorkerStarts
from tests.factories.dispatch import World, world_made
from tests.factories.orgs import make_org

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with world_made(monkeypatch) as made:
        yield made


def test_an_alert_waits_for_its_group_and_is_told_once(world: World) -> None:
    world.say("a")
    world.run(5)
    world.say("b")
    world.run(4)
    assert world.receiver.words == []
    world.run(60)
    assert world.receiver.words == [("firing", ["a", "b"], [])]


def test_a_resolve_before_the_group_wait_ends_is_never_told(world: World) -> None:
    world.say("a")
    world.run(5)
    world.say("a", "resolved")
    world.run(120)

    assert world.receiver.words == []
    assert not AlertGroup.all_orgs.exists()


def test_the_resolve_is_told_once_at_the_next_flush(world: World) -> None:
    world.say("a")
    world.run(15)
    world.say("a", "resolved")
    world.run(300)

    assert world.receiver.words == [("firing", ["a"], []), ("resolved", [], ["a"])]
    assert not AlertGroup.all_orgs.exists()


def test_a_new_alert_joins_at_the_group_interval(world: World) -> None:
    world.say("a")
    world.run(15)
    world.say("b")
    world.run(40)
    assert len(world.receiver.told) == 1
    world.run(20)
    assert world.receiver.words[1] == ("firing", ["a", "b"], [])


def test_nothing_new_is_repeated_only_after_the_repeat_interval_rounded_up(world: World) -> None:
    world.say("a")
    world.run(10 + 300)
    assert len(world.receiver.told) == 1
    world.run(61)
    assert len(world.receiver.told) == 2


def test_an_alert_older_than_the_group_wait_is_told_at_once(world: World) -> None:
    world.say("a")
    world.now += timedelta(seconds=30)
    world.run(2)

    assert len(world.receiver.told) == 1


def test_an_alert_that_fires_again_is_told_again(world: World) -> None:
    world.say("a")
    world.run(15)
    world.say("a", "resolved")
    world.run(120)
    world.say("a")
    world.run(15)

    assert [word[0] for word in world.receiver.words] == ["firing", "resolved", "firing"]


def test_without_send_resolved_the_end_is_silent_but_remembered(world: World) -> None:
    existing = ContactPoint.objects.for_org(world.org).get()
    contact_point_write(
        org=world.org,
        name="ops",
        title="",
        receivers=[{**existing.receivers[0], "send_resolved": False}],
        instance=existing,
    )
    world.say("a")
    world.run(15)
    world.say("a", "resolved")
    world.run(120)
    assert world.receiver.words == [("firing", ["a"], [])]
    world.say("a")
    world.run(15)
    assert world.receiver.words == [("firing", ["a"], [])] * 2


def test_an_evaluator_that_falls_silent_resolves_its_alerts(world: World) -> None:
    world.say("a")
    RoutedAlert.all_orgs.update(ends_at=world.now + timedelta(seconds=100))
    world.run(200)

    assert [word[0] for word in world.receiver.words] == ["firing", "resolved"]


def test_a_failed_attempt_is_retried_with_backoff_and_counted_once(world: World) -> None:
    world.receiver.failures = [
        DeliveryError("500", reason="serverError", status_code=500),
        DeliveryError("slow down", reason="rateLimited", status_code=429, retry_after_s=20),
    ]
    world.say("a")
    world.run(11)
    assert world.receiver.told == []
    world.run(6)
    assert world.receiver.told == []
    world.run(25)

    assert len(world.receiver.told) == 1
    row = Delivery.all_orgs.get()
    assert (row.status, row.attempts) == (DeliveryStatus.DELIVERED, 3)


def test_a_permanent_failure_is_kept_and_the_next_flush_tries_anew(world: World) -> None:
    world.receiver.failures = [DeliveryError("gone", reason="clientError", permanent=True)]
    world.say("a")
    world.run(12)
    assert Delivery.all_orgs.get().status == DeliveryStatus.FAILED
    world.run(61)
    assert world.receiver.words == [("firing", ["a"], [])]


def test_a_flush_replaces_what_could_not_be_told_yet(world: World) -> None:
    world.receiver.failures = [DeliveryError("down", reason="serverError") for _ in range(4)]
    world.say("a")
    world.run(30)
    world.say("b")
    world.run(120)

    assert world.receiver.words == [("firing", ["a", "b"], [])]
    statuses = list(Delivery.all_orgs.order_by("pk").values_list("status", flat=True))
    assert statuses == [DeliveryStatus.SUPERSEDED, DeliveryStatus.DELIVERED]


def test_the_start_of_a_sole_worker_ends_the_leases_of_its_earlier_life(world: World) -> None:
    world.say("a")
    world.run(12)
    Delivery.all_orgs.update(
        status=DeliveryStatus.PENDING,
        lease_owner="dead",
        lease_until=world.now + timedelta(seconds=45),
    )
    assert deliveries_due(now=world.now) == []
    publish(SoleWorkerStarts())
    assert len(deliveries_due(now=world.now)) == 1


def test_an_unchanged_notification_keeps_its_id_while_it_is_retried(world: World) -> None:
    world.receiver.failures = [DeliveryError("down", reason="serverError") for _ in range(5)]
    world.say("a")
    world.run(270)

    row = Delivery.all_orgs.get()
    assert (row.status, row.attempts) == (DeliveryStatus.DELIVERED, 6)
    assert [item.delivery_id for item in world.receiver.told][:1] == [row.uid]


def test_a_sender_that_dies_after_taking_the_lease_is_followed_by_another(world: World) -> None:
    world.say("a")
    world.run(12)
    Delivery.all_orgs.update(
        status=DeliveryStatus.PENDING,
        lease_owner="dead",
        lease_until=world.now + timedelta(seconds=45),
        attempts=1,
    )
    NotificationRecord.all_orgs.all().delete()
    world.receiver.told.clear()
    world.run(40)
    assert world.receiver.told == []
    world.run(30)
    assert len(world.receiver.told) == 1


def test_every_delivery_has_a_stable_id_and_a_unique_place(world: World) -> None:
    world.receiver.failures = [DeliveryError("down", reason="serverError")]
    world.say("a")
    world.run(30)

    row = Delivery.all_orgs.get()
    assert world.receiver.told[0].delivery_id == row.uid


def test_changing_the_tree_routes_active_alerts_anew_without_repeating(world: World) -> None:
    world.say("a")
    world.run(15)
    configure_again(world)
    world.run(40)

    assert len(world.receiver.told) == 1


def configure_again(world: World) -> None:
    tree = routing_tree_get(org=world.org)
    assert tree is not None
    root = {**tree.root, "routes": [{"matchers": ['x="y"'], "contact_point": "ops"}]}
    routing_tree_write(org=world.org, name="default", root=root, instance=tree)


def test_an_org_without_a_contact_point_tells_nobody_and_breaks_nothing(world: World) -> None:
    other = make_org("globex")
    org_prepare(org_id=other.pk)
    stranger = World(other, world.receiver, world.now)
    stranger.say("x")
    stranger.run(60)

    assert world.receiver.told == []
    assert not Delivery.all_orgs.exists()


def test_a_group_that_cannot_be_flushed_keeps_no_other_waiting(world: World) -> None:
    world.say("a")
    world.say("b", alertname="Other")
    dispatch(now=world.now)
    broken = AlertGroup.all_orgs.filter(group_labels={"alertname": "Down"})
    broken.update(route_options={"mute_time_intervals": 5})
    world.run(100)
    assert world.receiver.words == [("firing", ["b"], [])]

    broken.update(route_options={})
    world.run(60)
    assert world.receiver.words[1:] == [("firing", ["a"], [])]


def test_a_thread_is_handed_back_until_the_group_is_over(world: World) -> None:
    world.say("a")
    world.run(15)
    world.say("b")
    world.run(61)
    world.say("a", "resolved")
    world.say("b", "resolved")
    world.run(120)
    world.say("a")
    world.run(15)

    assert world.receiver.threads == [{}, {"message": 1}, {"message": 1}, {}]


def test_a_thread_is_not_handed_to_another_notifier(world: World) -> None:
    world.say("a")
    world.run(15)
    delivery = Delivery.all_orgs.get()
    assert thread_of(delivery=delivery, notifier="webhook") == {"message": 1}
    assert thread_of(delivery=delivery, notifier="email") == {}


@pytest.mark.parametrize("thread", [{}, {"a": "x" * 5_000}, {"a": float("nan")}])
def test_a_thread_that_cannot_be_kept_is_forgotten(thread: JsonObject) -> None:
    assert thread_stored(notifier="webhook", thread=thread) == {}


def test_what_is_sent_has_a_title_a_text_and_the_actions_of_whoever_answers_them(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    action = NotificationAction(name="acknowledge", title="Acknowledge", url="https://x.example")
    monkeypatch.setattr(payload, "_action_sources", [])
    payload.action_source_use(lambda _: [action])
    world.say("a")
    world.run(15)
    (told,) = world.receiver.told
    assert told.title == "[FIRING:1] Down"
    assert told.text.startswith("firing: a")
    assert told.actions == (action,)
    assert not told.is_templated


def handle(world: World, service: Callable[..., int], *fingerprints: str, **fields: Any) -> None:
    """Have somebody act on firing alerts now."""
    rows = RoutedAlert.objects.for_org(world.org).filter(fingerprint__in=fingerprints)
    subjects = [
        Subject(
            fingerprint=row.fingerprint,
            name=row.fingerprint,
            labels=row.labels,
            annotations=row.annotations,
            began_at=row.starts_at,
            fired_at=row.starts_at,
            is_open=True,
        )
        for row in rows
    ]
    alice = Actor(name="alice")
    assert service(org=world.org, actor=alice, alerts=subjects, now=world.now, **fields)


def test_an_acknowledged_alert_is_not_repeated_but_its_end_is_told(world: World) -> None:
    world.say("a")
    world.run(30)
    handle(world, alerts_acknowledge, "a")
    world.run(3600)
    assert world.receiver.words == [("firing", ["a"], [])]
    world.say("a", "resolved")
    world.run(60)
    assert world.receiver.words[1:] == [("resolved", [], ["a"])]


def test_what_is_new_beside_an_acknowledged_alert_is_told(world: World) -> None:
    world.say("a")
    world.run(30)
    handle(world, alerts_acknowledge, "a")
    world.say("b")
    world.run(60)
    assert world.receiver.words[1:] == [("firing", ["a", "b"], [])]
    world.say("b", "resolved")
    world.run(60)
    assert world.receiver.words[2:] == [("firing", ["a"], ["b"])]
    world.say("a", "resolved")
    world.run(3600)
    assert world.receiver.words[3:] == [("resolved", [], ["a"])]


def test_who_was_not_told_before_hears_nothing_of_what_somebody_took(world: World) -> None:
    world.say("a")
    handle(world, alerts_acknowledge, "a")
    world.run(3600)
    assert world.receiver.words == []


def test_an_acknowledgement_with_an_end_gives_the_repeats_back(world: World) -> None:
    world.say("a")
    world.run(30)
    handle(world, alerts_acknowledge, "a", until=world.now + timedelta(hours=1))
    world.run(3500)
    assert len(world.receiver.told) == 1
    world.run(300)
    assert len(world.receiver.told) == 2


def test_after_a_snooze_what_still_fires_is_told_again_at_once(world: World) -> None:
    tree = routing_tree_get(org=world.org)
    assert tree is not None
    root = {**tree.root, "repeat_interval": "7d"}
    routing_tree_write(org=world.org, name="default", root=root, instance=tree)
    world.say("a")
    world.run(30)
    handle(world, alerts_snooze, "a", until=world.now + timedelta(hours=1))
    world.run(3500)
    assert len(world.receiver.told) == 1
    world.run(200)
    assert world.receiver.words[1:] == [("firing", ["a"], [])]
    world.run(4_000)
    assert len(world.receiver.told) == 2
