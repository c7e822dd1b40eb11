"""Deliveries that meet limits, breakers, fallbacks and their own age."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from apps.notifications.enums import DeliveryStatus
from apps.notifications.models import ContactPoint, Delivery, DeliveryEndpoint, NotificationRecord
from apps.notifications.selectors import (
    contact_point_get,
    dead_letter_uids,
    delivery_list,
    routing_tree_get,
)
from apps.notifications.services.configuration import (
    contact_point_delete,
    contact_point_write,
    routing_tree_write,
)
from apps.notifications.services.dead_letters import deliveries_replay, delivery_replay
from apps.notifications.services.delivery import deliveries_send
from apps.notifications.services.endpoint_states import endpoints_of
from apps.notifications.services.endpoints import Endpoint, Hold, endpoint_enter, endpoint_leave
from apps.notifications.services.rate_limits import RateLimitError, parse_rate_limit
from detectviz.contracts.errors import DeliveryError
from detectviz.resources.errors import ConflictError, InvalidFieldsError, ResourceInUseError
from tests.factories.dispatch import START, World, world_made
from tests.factories.orgs import make_org

pytestmark = pytest.mark.django_db
DOWN = DeliveryError("It is down.", reason="serverError", status_code=503, answer="later")
REFUSED = DeliveryError("No.", reason="authError", permanent=True, status_code=401)
HOOK = "http://127.0.0.1:9/hook"


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with world_made(monkeypatch) as made:
        yield made


def configure(world: World, *, rate_limit: str = "", **reliability: str) -> None:
    point(world, "backup", "http://127.0.0.1:9/backup")
    point(world, "ops", HOOK, rate_limit=rate_limit, **reliability)
    route = {"group_wait": "1s", "group_interval": "60s", "repeat_interval": "4h"}
    routing_tree_write(
        org=world.org,
        name="default",
        root={"contact_point": "ops", "group_by": ["alertname"], **route},
        instance=routing_tree_get(org=world.org),
    )


def point(
    world: World, name: str, url: str, *, rate_limit: str = "", **reliability: str
) -> ContactPoint:
    receiver = {
        "notifier": "webhook",
        "config": {"url": url},
        "secrets": {},
        "rate_limit": rate_limit,
    }
    known = ContactPoint.all_orgs.filter(org_id=world.org.pk, name=name).first()
    return contact_point_write(
        org=world.org,
        name=name,
        title="",
        receivers=[receiver],
        instance=known,
        reliability=reliability,
    )


def told_to(world: World) -> list[str]:
    return [each.receiver for each in world.receiver.told]


def test_every_attempt_is_written_down(world: World) -> None:
    configure(world)
    world.receiver.failures = [DOWN]
    world.say("a")
    world.run(30)
    delivery = Delivery.all_orgs.get()
    first, second = delivery.history
    assert (first["status"], first["reason"], first["status_code"]) == (
        "failed",
        "serverError",
        503,
    )
    assert (first["error"], first["answer"]) == ("It is down.", "later")
    assert (second["status"], second["answer"]) == ("delivered", "ok")
    assert first["at"] < second["at"]


def test_a_delivery_is_given_up_when_it_is_too_old(world: World) -> None:
    configure(world, give_up_after="2m")
    world.receiver.failures = [DOWN] * 50
    world.say("a")
    world.run(59)
    assert Delivery.all_orgs.get().status == DeliveryStatus.PENDING
    world.run(200)
    first = Delivery.all_orgs.order_by("pk").first()
    assert first is not None
    assert first.status == DeliveryStatus.FAILED
    assert first.error.startswith("Given up after 2m.")


def test_the_wait_a_service_asks_for_holds_back_others_to_the_same_host(world: World) -> None:
    configure(world)
    asked = DeliveryError("Slow down.", reason="rateLimited", status_code=429, retry_after_s=120)
    world.receiver.failures = [asked]
    world.say("a")
    world.run(5)
    world.say("b", alertname="Other")
    world.run(60)
    assert told_to(world) == []
    other = Delivery.all_orgs.order_by("pk").last()
    assert other is not None
    assert (other.reason, other.attempts) == (Hold.ASKED, 0)
    world.run(120)
    assert len(world.receiver.told) == 2


def test_a_broken_endpoint_is_left_alone_then_probed_and_closed(world: World) -> None:
    configure(world)
    world.receiver.failures = [DOWN] * 5
    world.say("a")
    world.run(150)
    row = DeliveryEndpoint.all_orgs.get()
    assert row.opened_at is not None
    assert (row.address, row.error) == ("127.0.0.1:9", "It is down.")
    (state,) = endpoints_of(point=contact_point_get(org=world.org, name="ops"))
    assert (state["state"], state["failures"]) == ("open", 5)
    world.run(600)
    row.refresh_from_db()
    assert (row.opened_at, row.failures) == (None, 0)
    assert told_to(world) == ["ops"]


def test_one_worker_probes_and_the_others_wait(world: World) -> None:
    configure(world)
    endpoint = Endpoint(org_id=world.org.pk, notifier="webhook", address="h", limit=None)
    for _ in range(5):
        endpoint_leave(
            endpoint=endpoint, reason="timeout", error="slow", retry_after_s=None, now=START
        )
    held = endpoint_enter(endpoint=endpoint, now=START)
    assert held is not None
    assert (held.hold, held.until) == (Hold.BROKEN, START + timedelta(seconds=30))
    later = START + timedelta(seconds=31)
    assert endpoint_enter(endpoint=endpoint, now=later) is None
    assert endpoint_enter(endpoint=endpoint, now=later) is not None
    endpoint_leave(endpoint=endpoint, reason="timeout", error="slow", retry_after_s=None, now=later)
    again = endpoint_enter(endpoint=endpoint, now=later)
    assert again is not None
    assert again.until == later + timedelta(seconds=60)


def test_a_refused_request_breaks_nothing(world: World) -> None:
    configure(world)
    world.receiver.failures = [REFUSED] * 20
    for index in range(10):
        world.say(str(index), alertname=f"A{index}")
    world.run(10)
    assert not DeliveryEndpoint.all_orgs.filter(opened_at__isnull=False).exists()


def test_a_receivers_rate_limit_spreads_its_messages(world: World) -> None:
    configure(world, rate_limit="2/1m")
    for index in range(4):
        world.say(str(index), alertname=f"A{index}")
    world.run(5)
    assert len(world.receiver.told) == 2
    waiting = Delivery.all_orgs.filter(status=DeliveryStatus.PENDING)
    assert {(each.reason, each.attempts) for each in waiting} == {(Hold.LIMITED, 0)}
    world.run(31)
    assert len(world.receiver.told) == 3
    world.run(31)
    assert len(world.receiver.told) == 4


@pytest.mark.parametrize("text", ["30", "0/1m", "x/1m", "3/0s", "3/soon", "-1/1m", "²/1m"])
def test_what_is_no_rate_limit_is_refused(text: str) -> None:
    with pytest.raises(RateLimitError, match="30/1m"):
        parse_rate_limit(text)


def test_the_fallback_is_told_once_what_failed_for_good(world: World) -> None:
    configure(world, fallback="backup")
    world.receiver.failures = [REFUSED]
    world.say("a")
    world.run(3)
    world.run(600)
    assert told_to(world) == ["backup"]
    original, instead = Delivery.all_orgs.order_by("pk")
    assert original.fallback_at is not None
    assert (instead.fallback_of, instead.reason) == (original.uid, "fallback")
    assert world.receiver.told[0].delivery_id == instead.uid
    record = NotificationRecord.all_orgs.get(contact_point="ops")
    assert record.firing == ["a"]


def test_what_is_still_being_told_instead_is_no_dead_letter_again(world: World) -> None:
    configure(world, fallback="backup")
    world.receiver.failures = [REFUSED, DOWN, DOWN, DOWN]
    world.say("a")
    world.run(240)  # flushed again while the fallback is being retried
    assert told_to(world) == ["backup"]
    original, instead = Delivery.all_orgs.order_by("pk")
    assert (original.status, instead.attempts) == (DeliveryStatus.FAILED, 4)


def test_news_while_others_are_being_told_is_tried_itself(world: World) -> None:
    configure(world, fallback="backup")
    world.receiver.failures = [REFUSED, DOWN, DOWN]
    world.say("a")
    world.run(10)
    world.say("b")
    world.run(120)
    assert [(one.receiver, len(one.alerts)) for one in world.receiver.told][-1] == ("ops", 2)


def test_who_was_told_instead_is_told_that_it_is_over(world: World) -> None:
    configure(world, fallback="backup")
    world.receiver.failures = [REFUSED]
    world.say("a")
    world.run(10)
    world.say("a", "resolved")
    world.run(130)
    assert [(each.receiver, each.status.value) for each in world.receiver.told] == [
        ("backup", "firing"),
        ("ops", "resolved"),
        ("backup", "resolved"),
    ]


def test_others_are_told_while_a_breaker_stays_open(world: World) -> None:
    configure(world, fallback="backup", fallback_after="3m")
    point(world, "backup", "http://127.0.0.2:9/backup")
    down = {"127.0.0.1"}
    notify = world.receiver.notify

    def picky(notification: object, context: object) -> object:
        if "127.0.0.1" in context.config["url"] and down:  # type: ignore[attr-defined]  # a context
            raise DOWN
        return notify(notification, context)  # type: ignore[arg-type]  # passed on

    world.receiver.notify = picky  # type: ignore[method-assign, assignment]  # as above
    world.say("a")
    world.run(170)
    assert told_to(world) == []
    world.run(300)
    world.run(2)
    assert told_to(world) == ["backup"]
    down.clear()
    world.run(700)
    assert told_to(world) == ["backup", "ops"]


def test_a_dead_letter_is_sent_again_under_its_id_and_changes_no_group(world: World) -> None:
    configure(world)
    world.receiver.failures = [REFUSED]
    world.say("a")
    world.run(10)
    (uid,) = dead_letter_uids(org=world.org)
    world.say("a", "resolved")
    world.run(200)
    delivery_replay(org=world.org, uid=uid, now=world.now)
    world.run(5)
    again = Delivery.all_orgs.get(uid=uid)
    assert (again.status, again.attempts) == (DeliveryStatus.DELIVERED, 2)
    assert world.receiver.told[-1].delivery_id == uid
    assert all(not record.firing for record in NotificationRecord.all_orgs.all())
    with pytest.raises(ConflictError, match="failed for good"):
        delivery_replay(org=world.org, uid=uid, now=world.now)


def test_another_orgs_dead_letters_are_left_alone(world: World) -> None:
    configure(world)
    world.receiver.failures = [REFUSED]
    world.say("a")
    world.run(10)
    uids = dead_letter_uids(org=world.org)
    assert deliveries_replay(org=make_org("other"), uids=uids, now=world.now) == 0


def test_an_attempt_that_lost_its_lease_writes_nothing(world: World) -> None:
    configure(world)
    world.say("a")
    notify = world.receiver.notify

    def slow(notification: object, context: object) -> object:
        Delivery.all_orgs.update(lease_owner="somebody else")
        return notify(notification, context)  # type: ignore[arg-type]  # passed on

    world.receiver.notify = slow  # type: ignore[method-assign, assignment]  # stands in
    world.run(1.5)
    delivery = Delivery.all_orgs.first()
    if delivery is None:
        world.run(5)
        delivery = Delivery.all_orgs.get()
    assert (delivery.status, delivery.history) == (DeliveryStatus.PENDING, [])


def test_the_log_is_found_by_alert(world: World) -> None:
    configure(world)
    world.say("a")
    world.say("b", alertname="Other")
    world.run(10)
    (found,) = delivery_list(org=world.org, fingerprint="b")
    assert found.firing == ["b"]


def test_a_fallback_must_be_another_one_and_stays_while_it_is_named(world: World) -> None:
    configure(world, fallback="backup")
    with pytest.raises(InvalidFieldsError):
        point(world, "ops", HOOK, fallback="ops")
    with pytest.raises(InvalidFieldsError):
        point(world, "ops", HOOK, fallback="nobody")
    with pytest.raises(ResourceInUseError, match="fallback of 'ops'"):
        contact_point_delete(point=contact_point_get(org=world.org, name="backup"))


def test_a_delivery_whose_receiver_is_gone_fails_with_a_reason(world: World) -> None:
    configure(world)
    world.receiver.failures = [DOWN]
    world.say("a")
    world.run(4)
    ContactPoint.all_orgs.filter(name="ops").update(receivers=[])
    delivery = Delivery.all_orgs.get()
    later = world.now + timedelta(minutes=5)
    deliveries_send(delivery_ids=[delivery.pk], clock=lambda: later)
    delivery.refresh_from_db()
    assert (delivery.status, delivery.error) == (
        DeliveryStatus.FAILED,
        "The receiver was removed meanwhile.",
    )


def test_what_an_older_release_stored_is_still_delivered(world: World) -> None:
    configure(world)
    world.say("a")
    world.run(1)
    ContactPoint.all_orgs.filter(name="ops").update(
        receivers=[
            {
                "name": "webhook",
                "notifier": "webhook",
                "config": {"url": HOOK},
                "send_resolved": True,
                "enabled": True,
            }
        ]
    )
    world.run(5)
    payload = Delivery.all_orgs.get().payload
    assert not {"title", "text", "actions", "is_templated"} & set(payload)
    assert told_to(world) == ["ops"]


def test_two_workers_take_one_token_each_and_no_more(world: World) -> None:
    configure(world)
    limit = parse_rate_limit("2/1m")
    endpoint = Endpoint(org_id=world.org.pk, notifier="webhook", address="ops/x", limit=limit)
    taken = [endpoint_enter(endpoint=endpoint, now=START) for _ in range(3)]
    assert [held is None for held in taken] == [True, True, False]
    late = START + timedelta(seconds=30)
    assert endpoint_enter(endpoint=endpoint, now=late) is None
    assert endpoint_enter(endpoint=endpoint, now=late) is not None
