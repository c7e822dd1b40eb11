"""Nobody is told of what is worked on, and the ledger says until when."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from apps.monitors.models import MaintenanceWindow, Monitor
from apps.monitors.services.maintenance import windows_apply
from apps.notifications.models import SuppressionEntry
from apps.notifications.services.answers import suppressions_of
from tests.factories.dispatch import START, World, world_made

pytestmark = pytest.mark.django_db
UNTIL = START + timedelta(hours=1)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with world_made(monkeypatch) as made:
        yield made


def window(world: World, **fields: Any) -> MaintenanceWindow:
    values = {"strategy": "once", "starts_at": START, "ends_at": UNTIL, "title": "New racks"}
    row: MaintenanceWindow = MaintenanceWindow.objects.create_for(
        world.org, name="move", next_change_at=START, **{**values, **fields}
    )
    windows_apply(now=world.now)
    return row


def test_alerts_of_monitors_in_a_window_are_not_told(world: World) -> None:
    Monitor.objects.create_for(world.org, name="web", type="http")
    window(world, monitors=["web"])
    world.say("a", monitor="web")
    world.say("b", monitor="db")
    world.run(100)
    assert world.receiver.words == [("firing", ["b"], [])]
    row = SuppressionEntry.objects.for_org(world.org).get()
    assert (row.fingerprint, row.kind, row.until) == ("a", "maintenance", UNTIL)
    told = suppressions_of(org=world.org, fingerprint="a", now=world.now)
    assert "it is in maintenance move (New racks), until" in told[0].sentence


def test_alerts_that_match_are_not_told_whatever_the_monitor(world: World) -> None:
    window(world, matchers=['team="web"', 'severity=~"w.*"'])
    world.say("a", team="web", severity="warning")
    world.say("b", team="web", severity="critical")
    world.run(100)
    assert world.receiver.words == [("firing", ["b"], [])]


def test_after_the_window_the_alert_is_told(world: World) -> None:
    window(world, matchers=['team="web"'], ends_at=START + timedelta(seconds=100))
    world.say("a", team="web")
    world.run(90)
    assert world.receiver.words == []
    world.run(700)
    assert world.receiver.words[0] == ("firing", ["a"], [])


def test_a_monitor_set_to_maintenance_is_not_told_of(world: World) -> None:
    Monitor.objects.create_for(world.org, name="web", type="http", is_in_maintenance=True)
    world.say("a", monitor="web")
    world.run(100)
    assert world.receiver.words == []


def test_the_ledger_follows_at_once_when_a_window_begins(world: World) -> None:
    world.say("a", team="web")
    world.run(1)
    assert not SuppressionEntry.objects.for_org(world.org).exists()
    window(world, matchers=['team="web"'])
    assert SuppressionEntry.objects.for_org(world.org).get().kind == "maintenance"
