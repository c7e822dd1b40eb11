"""What was written to the outbox is worked on once, whatever the bus does."""

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import redis
from django.test import override_settings
from jsonschema import Draft202012Validator

from apps.extensions.selectors import plugin_host
from detectviz.clock import utc_now
from detectviz.contracts.errors import PluginError
from detectviz.events import services
from detectviz.events.bus import publish
from detectviz.events.integration import EVENT_TYPES, schema_of
from detectviz.events.models import DeliveryStatus, EventDelivery, OutboxEvent
from detectviz.events.relay import EventBusModule
from detectviz.events.subscribers import IntegrationEvent, consumes, subscribers
from detectviz.events.types import MonitorStateChanged
from detectviz.resources.errors import ConflictError
from detectviz.testing.services import find_program, free_port, port_is_open
from tests.factories.orgs import make_org

pytestmark = pytest.mark.django_db(transaction=True)
STATE = "detectviz.monitor.state-changed"


def change(org_id: int, number: int) -> None:
    publish(
        MonitorStateChanged(
            org_id=org_id,
            monitor_id=number,
            name=f"m{number}",
            previous="up",
            state="down",
            message="",
            at=utc_now(),
        )
    )


@pytest.fixture
def heard() -> Iterator[list[IntegrationEvent]]:
    found: list[IntegrationEvent] = []
    kept = dict(subscribers)
    consumes("test", [STATE])(found.append)
    plugin_host()
    yield found
    subscribers.clear()
    subscribers.update(kept)


def deliveries(**chosen: object) -> int:
    return EventDelivery.all_orgs.filter(**chosen).count()


def run_until(module: EventBusModule, is_enough: Callable[[], bool]) -> None:
    ends_at = time.monotonic() + 60
    while not is_enough() and time.monotonic() < ends_at:
        try:
            module.step()
        except PluginError:
            module._let_go()


def subjects(heard: list[IntegrationEvent]) -> list[str]:
    return sorted(each.subject for each in heard)


@pytest.fixture
def module(tmp_path: Path) -> Iterator[EventBusModule]:
    made = EventBusModule(poll_s=0.05)
    with override_settings(EVENTBUS_URL=f"memory://{tmp_path.name}"):
        yield made
        made._let_go()


def test_an_event_is_handed_to_its_subscriber_once(
    heard: list[IntegrationEvent], module: EventBusModule
) -> None:
    org = make_org()
    change(org.pk, 1)
    run_until(module, lambda: bool(heard))
    module.step()
    (event,) = heard
    assert (event.org_id, event.subject, event.data["state"]) == (org.pk, "m1", "down")
    assert deliveries(status=DeliveryStatus.DONE, event__type=STATE) == 2


def test_a_subscriber_of_one_org_is_never_told_of_another(module: EventBusModule) -> None:
    mine, other = make_org(name="mine"), make_org(name="other")
    found: list[IntegrationEvent] = []
    kept = dict(subscribers)
    consumes("test-mine", [STATE], org_id=mine.pk)(found.append)
    change(other.pk, 1)
    change(mine.pk, 2)
    run_until(module, lambda: bool(found))
    module.step()
    subscribers.clear()
    subscribers.update(kept)
    assert [(each.org_id, each.subject) for each in found] == [(mine.pk, "m2")]


def test_what_somebody_else_writes_into_the_bus_is_rejected(
    heard: list[IntegrationEvent], module: EventBusModule
) -> None:
    assert services.event_consume(uid="f" * 20, now=utc_now()) == 0
    assert heard == []


def test_work_that_always_fails_becomes_a_dead_letter_that_can_be_replayed(
    heard: list[IntegrationEvent],
) -> None:
    org = make_org()

    def fail(event: IntegrationEvent) -> None:
        raise ValueError("no")

    consumes("test", [STATE])(fail)
    change(org.pk, 1)
    uid = OutboxEvent.all_orgs.get(type=STATE).uid
    for _ in range(services.MOST_ATTEMPTS):
        services.event_consume(uid=uid, now=utc_now())
    row = EventDelivery.all_orgs.get(target="test")
    assert (row.status, row.last_error) == (DeliveryStatus.DEAD, "ValueError: no")
    consumes("test", [STATE])(heard.append)
    services.dead_letter_replay(org=org, row=row, now=utc_now())
    services.event_consume(uid=uid, now=utc_now())
    assert len(heard) == 1
    with pytest.raises(ConflictError):
        services.dead_letter_discard(org=org, row=row, now=utc_now())


def test_what_failed_half_way_left_nothing_behind(heard: list[IntegrationEvent]) -> None:
    org = make_org()

    def write_and_fail(event: IntegrationEvent) -> None:
        make_org(name="half-way")
        raise ValueError("no")

    consumes("test", [STATE])(write_and_fail)
    change(org.pk, 1)
    before = type(org).objects.count()
    services.event_consume(uid=OutboxEvent.all_orgs.get(type=STATE).uid, now=utc_now())
    assert type(org).objects.count() == before


@pytest.mark.parametrize("event_type", EVENT_TYPES, ids=lambda each: each.name)
def test_every_type_has_a_schema(event_type: object) -> None:
    assert isinstance(event_type, type(EVENT_TYPES[0]))
    assert schema_of(event_type)["additionalProperties"] is False


def test_written_events_fit_their_schema(heard: list[IntegrationEvent]) -> None:
    change(make_org().pk, 1)
    types = {each.name: each for each in EVENT_TYPES}
    rows = list(OutboxEvent.all_orgs.all())
    assert {row.type for row in rows} >= {STATE}
    for row in rows:
        Draft202012Validator(schema_of(types[row.type])).validate(row.data)


def test_old_events_everybody_was_told_of_are_forgotten(
    heard: list[IntegrationEvent], module: EventBusModule
) -> None:
    change(make_org().pk, 1)
    run_until(module, lambda: not deliveries(status=DeliveryStatus.PENDING))
    later = utc_now() + timedelta(days=services.KEPT_DAYS + 1)
    change(make_org(name="later").pk, 2)
    services.outbox_trim(now=later)
    assert set(OutboxEvent.all_orgs.filter(type=STATE).values_list("subject", flat=True)) == {"m2"}


def _server(argv: list[str], port: int) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    ends_at = time.monotonic() + 20
    while not port_is_open(port) and time.monotonic() < ends_at:
        time.sleep(0.02)
    return process


def _kill(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.mark.faults
@pytest.mark.services("redis-server", "nats-server")
@pytest.mark.parametrize("driver", ["redis", "nats"])
def test_a_bus_killed_and_emptied_loses_nothing(
    driver: str, heard: list[IntegrationEvent], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "CONFIRM_WITHIN_S", 1.0)
    port = free_port()
    program = find_program(f"{driver}-server")
    assert program is not None
    lives = [
        [program, "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
        if driver == "redis"
        else [program, "-js", "-a", "127.0.0.1", "-p", str(port), "-sd", str(tmp_path / life)]
        for life in ("one", "two")
    ]
    org = make_org()
    expected = sorted(f"m{number}" for number in range(60))
    with override_settings(EVENTBUS_URL=f"{driver}://127.0.0.1:{port}"):
        module = EventBusModule(poll_s=0.1)
        process = _server(lives[0], port)
        for number in range(30):
            change(org.pk, number)
        run_until(module, lambda: len(heard) >= 30)
        for number in range(30, 50):
            change(org.pk, number)
        assert module._bus is not None
        services.outbox_publish(bus=module._bus, now=utc_now())  # the bus has them, nobody yet
        if driver == "redis":
            with redis.Redis(port=port) as client:
                client.flushall()
        _kill(process)
        for number in range(50, 60):
            change(org.pk, number)
        with pytest.raises(PluginError):
            module.step()
        module._let_go()
        process = _server(lives[1], port)
        run_until(module, lambda: len(heard) >= 60)
        module._let_go()
        _kill(process)
    assert subjects(heard) == expected
