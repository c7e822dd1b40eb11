"""One after another until somebody answers, on a clock the test turns."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from prometheus_client import REGISTRY, generate_latest

from apps.alerting.services.handling import (
    Actor,
    Subject,
    alerts_acknowledge,
    alerts_unacknowledge,
)
from apps.notifications.models import Delivery, RoutedAlert
from apps.notifications.selectors import routing_tree_get
from apps.notifications.services.configuration import contact_point_write, routing_tree_write
from apps.notifications.services.delivery import deliveries_send
from apps.notifications.services.delivery_leases import deliveries_due
from apps.notifications.services.dispatch import dispatch
from apps.oncall.enums import RunState
from apps.oncall.models import ContactMethod, EscalationNotice, EscalationRun, OnCallSchedule
from apps.oncall.services.escalations import escalations_tick, notice_send, run_advance
from apps.oncall.services.methods import preference_write
from apps.oncall.services.policies import policy_delete, policy_write
from apps.oncall.services.schedules import token_digest
from apps.oncall.services.telemetry import escalations_read
from detectviz.resources.errors import InvalidFieldsError, ResourceInUseError
from tests.factories.accounts import make_member, make_team
from tests.factories.dispatch import World, world_made

pytestmark = pytest.mark.django_db
STEPS = [
    {"wait": "5m", "targets": [{"user": "ann"}]},
    {"wait": "10m", "targets": [{"team": "web"}, {"contact_point": "room"}]},
]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with world_made(monkeypatch) as world:
        make_team(world.org, "web", make_member(world.org, "bob"), make_member(world.org, "ann"))
        room = [{"notifier": "webhook", "config": {"url": "http://127.0.0.1:9/room"}}]
        contact_point_write(org=world.org, name="room", title="", receivers=room, instance=None)
        yield world


def escalate(world: World, *, steps: Any = STEPS, repeat: int = 0) -> Any:
    """Have the org's alerts escalated by these steps."""
    spec = {"title": "", "description": "", "steps": steps, "repeat": repeat}
    policy = policy_write(org=world.org, name="first", spec=spec, instance=None)
    tree = routing_tree_get(org=world.org)
    assert tree is not None
    root = {**tree.root, "escalation": "first"}
    routing_tree_write(org=world.org, name="default", root=root, instance=tree)
    return policy


def run(world: World, minutes: int) -> None:
    """Let time pass, ticking every half a minute."""
    for _ in range(minutes * 2):
        world.now += timedelta(seconds=30)
        dispatch(now=world.now)
        escalations_tick(now=world.now)
        for delivery_id, *_ in deliveries_due(now=world.now):
            deliveries_send(delivery_ids=[delivery_id], clock=lambda: world.now)


def told(world: World) -> list[str]:
    """Whom escalation told, in order."""
    rows = Delivery.objects.for_org(world.org).filter(reason="escalation")
    return [row.contact_point for row in rows.order_by("created_at", "pk")]


def subject(world: World, fingerprint: str) -> Subject:
    row = RoutedAlert.objects.for_org(world.org).get(fingerprint=fingerprint)
    return Subject(
        fingerprint=row.fingerprint,
        name=row.fingerprint,
        labels=row.labels,
        annotations=row.annotations,
        began_at=row.starts_at,
        fired_at=row.starts_at,
        is_open=True,
    )


def acknowledge(world: World, fingerprint: str = "a") -> None:
    alerts = [subject(world, fingerprint)]
    alerts_acknowledge(org=world.org, actor=Actor(name="ann"), alerts=alerts, now=world.now)


def the_run(world: World) -> EscalationRun:
    found: EscalationRun = EscalationRun.objects.for_org(world.org).latest("pk")
    return found


def test_the_next_is_told_when_nobody_answers(world: World) -> None:
    escalate(world)
    world.say("a")
    run(world, 4)
    assert told(world) == ["~ann"]
    run(world, 4)
    assert told(world) == ["~ann", "~ann", "~bob", "room"]
    run(world, 60)
    assert len(told(world)) == 4
    assert the_run(world).state == RunState.EXHAUSTED
    assert {row.status for row in Delivery.objects.for_org(world.org)} == {"delivered"}


def test_it_begins_again_as_often_as_it_should(world: World) -> None:
    escalate(world, steps=STEPS[:1], repeat=2)
    world.say("a")
    run(world, 60)
    assert told(world) == ["~ann"] * 3


def test_metrics_count_runs_steps_and_notices(
    world: World, django_capture_on_commit_callbacks: Any
) -> None:
    def counted() -> dict[str, float]:
        text = generate_latest(REGISTRY).decode()
        lines = [line for line in text.splitlines() if line.startswith("detectviz_escalation_")]
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}

    before = counted()
    escalate(world)
    world.say("a")
    with django_capture_on_commit_callbacks(execute=True):
        run(world, 60)
    grown = {name: value - before.get(name, 0) for name, value in counted().items()}
    changed = {name: value for name, value in grown.items() if value and "_created" not in name}
    assert changed == {
        "detectviz_escalation_runs_started_total": 1,
        "detectviz_escalation_steps_total": 2,
        'detectviz_escalation_notices_total{outcome="sent"}': 4,
        'detectviz_escalation_runs_turned_total{state="exhausted"}': 1,
    }
    read = {labels: value for _, labels, value in escalations_read()}
    assert read[("exhausted",)] == 1


def test_an_acknowledgement_ends_it_and_giving_back_goes_on(world: World) -> None:
    escalate(world)
    world.say("a")
    run(world, 2)
    acknowledge(world)
    run(world, 30)
    assert told(world) == ["~ann"]
    assert the_run(world).state == RunState.ACKNOWLEDGED
    alerts = [subject(world, "a")]
    alerts_unacknowledge(org=world.org, actor=Actor(name="ann"), alerts=alerts, now=world.now)
    run(world, 1)
    assert told(world)[1:] == ["~ann", "~bob", "room"]


def test_a_resolve_ends_it(world: World) -> None:
    escalate(world)
    world.say("a")
    run(world, 2)
    world.say("a", "resolved")
    run(world, 30)
    assert told(world) == ["~ann"]
    assert the_run(world).state == RunState.RESOLVED


def test_what_is_new_after_an_answer_begins_it_anew(world: World) -> None:
    escalate(world)
    world.say("a")
    run(world, 2)
    acknowledge(world)
    run(world, 2)
    world.say("b")
    run(world, 3)
    assert told(world) == ["~ann", "~ann"]
    assert set(the_run(world).fingerprints) == {"b"}
    (payload,) = Delivery.objects.for_org(world.org).filter(reason="escalation", firing=["b"])
    assert payload.contact_point == "~ann"


def test_each_step_tells_once_however_often_and_by_whom_it_is_run(world: World) -> None:
    escalate(world)
    world.say("a")
    run(world, 1)
    one = the_run(world)
    EscalationRun.objects.for_org(world.org).update(next_at=world.now, step=0)
    assert run_advance(run_id=one.pk, now=world.now)
    assert not run_advance(run_id=one.pk, now=world.now)
    for notice in EscalationNotice.objects.for_org(world.org):
        assert not notice_send(notice_id=notice.pk, now=world.now)
    EscalationNotice.objects.for_org(world.org).update(state="planned")
    escalations_tick(now=world.now)
    assert told(world) == ["~ann"]


def test_a_schedule_tells_whoever_is_on_call(world: World) -> None:
    layer = {
        "name": "all",
        "participants": ["bob"],
        "unit": "days",
        "length": 1,
        "starts_on": "2025-01-01",
        "handover": "00:00",
        "weekday": "monday",
        "restrictions": [],
    }
    OnCallSchedule.objects.create_for(
        world.org, name="s", layers=[layer], calendar_digest=token_digest("x")
    )
    escalate(world, steps=[{"wait": "5m", "targets": [{"schedule": "s"}]}])
    world.say("a")
    run(world, 2)
    assert told(world) == ["~bob"]


def test_people_are_told_as_they_wish(world: World) -> None:
    ann = make_member(world.org, "cleo")
    for name in ("chat", "phone"):
        ContactMethod.objects.create_for(
            world.org,
            user=ann,
            name=name,
            notifier="webhook",
            config={"url": f"http://127.0.0.1:9/{name}"},
            verified_at=world.now if name != "new" else None,
        )
    quiet = {"time_zone": "UTC", "start": "", "end": "", "except": []}
    rules = [
        {"severities": [], "method": "chat", "delay_s": 0},
        {"severities": ["critical"], "method": "phone", "delay_s": 120},
    ]
    preference_write(org=world.org, user=ann, rules=rules, quiet=quiet)
    escalate(world, steps=[{"wait": "30m", "targets": [{"user": "cleo"}]}])
    world.say("a", severity="critical")
    run(world, 2)
    rows = Delivery.objects.for_org(world.org).filter(contact_point="~cleo").order_by("pk")
    assert [row.receiver for row in rows] == ["chat"]
    run(world, 2)
    assert [row.receiver for row in rows.all()] == ["chat", "phone"]


def test_what_is_still_planned_is_called_off_by_an_answer(world: World) -> None:
    make_member(world.org, "cleo")
    escalate(world, steps=[{"wait": "30m", "targets": [{"user": "ann"}]}])
    world.say("a")
    run(world, 1)
    EscalationNotice.objects.for_org(world.org).create(
        org_id=world.org.pk,
        run=the_run(world),
        round=0,
        step=0,
        target="user cleo",
        contact_point="~cleo",
        receiver="mail",
        due_at=world.now + timedelta(minutes=5),
    )
    acknowledge(world)
    run(world, 10)
    assert told(world) == ["~ann"]
    assert EscalationNotice.objects.for_org(world.org).get(target="user cleo").state == "cancelled"


def test_a_policy_that_routes_name_stays_and_a_route_names_only_what_is_there(
    world: World,
) -> None:
    policy = escalate(world)
    with pytest.raises(ResourceInUseError):
        policy_delete(policy=policy)
    tree = routing_tree_get(org=world.org)
    with pytest.raises(InvalidFieldsError, match="no escalation policy"):
        routing_tree_write(
            org=world.org, name="default", root={"escalation": "none"}, instance=tree
        )
