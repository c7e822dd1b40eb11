"""Plugins are told of the events they ask for, and of no other."""

import threading
from pathlib import Path
from typing import Any

import pytest

from apps.extensions import selectors
from apps.extensions.services import hearing
from apps.extensions.services.approvals import plugin_approval_withdraw, plugin_approve
from apps.extensions.services.following import plugins_refresh
from apps.extensions.services.hearing import event_is_heard, event_tell, plugins_hearing
from apps.extensions.services.switches import plugin_switch
from detectviz.clock import utc_now
from detectviz.contracts.lifecycle import PluginEvent
from detectviz.contracts.types import PluginKind
from detectviz.events.bus import publish
from detectviz.events.models import OutboxEvent
from detectviz.events.services import event_consume
from detectviz.events.types import MonitorStateChanged
from detectviz.pluginhost.host import PluginHost
from tests.factories.orgs import make_org

pytestmark = pytest.mark.django_db(transaction=True)
STATE = "detectviz.monitor.state-changed"
CODE = """
from pathlib import Path


class Probe:
    async def check(self, context): ...

    def on_event(self, event, context):
        with Path("{log}").open("a") as file:
            print(event.type, event.org, event.data["state"], file=file)
        if event.data["state"] == "boom":
            raise ValueError("no")
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "told"


@pytest.fixture
def listening(host: PluginHost, write_plugin: Any, log: Path) -> PluginHost:
    folder = write_plugin(permissions={"events": ["subscribe:detectviz.monitor.*"]})
    (folder / "probe.py").write_text(CODE.format(log=log))
    asked = ["events:subscribe:detectviz.monitor.*"]
    plugin_approve(plugin="collectors/probe", permissions=asked, version="1.0.0")
    plugins_refresh()
    host.replace_store(selectors.plugins_scan())
    return host


def event(state: str = "down", type_: str = STATE) -> PluginEvent:
    return PluginEvent(
        uid="u",
        type=type_,
        version=1,
        subject="m",
        org="acme",
        data={"state": state},
        at=utc_now(),
    )


def told(log: Path) -> list[str]:
    return log.read_text().splitlines() if log.exists() else []


def test_one_that_asks_for_nothing_is_told_of_nothing(host: PluginHost, log: Path) -> None:
    make_org("acme")
    assert not event_is_heard(STATE)
    assert event_tell(event=event()) == 0


def test_only_what_the_manifest_names_is_told(listening: PluginHost, log: Path) -> None:
    make_org("acme")
    assert [plugin.name for plugin in plugins_hearing(STATE)] == ["probe"]
    assert not event_is_heard("detectviz.alert.changed")
    assert event_tell(event=event()) == 1
    assert event_tell(event=event(type_="detectviz.alert.changed")) == 0
    assert told(log) == [f"{STATE} acme down"]


def test_what_no_administrator_approves_is_not_told(listening: PluginHost, log: Path) -> None:
    make_org("acme")
    assert plugin_approval_withdraw(plugin="collectors/probe")
    listening.replace_store(selectors.plugins_scan())
    assert event_tell(event=event()) == 0
    assert told(log) == []


def test_an_org_that_switched_it_off_tells_it_nothing(listening: PluginHost, log: Path) -> None:
    org = make_org("acme")
    plugin = listening.describe(PluginKind.COLLECTOR, "probe")
    plugin_switch(plugin=plugin, is_enabled=False, org=org)
    plugins_refresh()
    assert event_tell(event=event()) == 0
    assert told(log) == []


def test_a_failure_is_counted_with_the_plugin_and_raises_nothing(listening: PluginHost) -> None:
    make_org("acme")
    assert event_tell(event=event("boom")) == 0
    statistics = listening.registry.ledger((PluginKind.COLLECTOR, "probe")).statistics
    assert statistics.errors == 1


def test_a_publication_reaches_it_after_the_commit(
    listening: PluginHost, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    org, done = make_org("acme"), threading.Event()
    tell = hearing.event_tell

    def telling(*, event: PluginEvent) -> int:
        count = tell(event=event)
        done.set()
        return count

    monkeypatch.setattr(hearing, "event_tell", telling)
    now = utc_now()
    publish(
        MonitorStateChanged(
            org_id=org.pk,
            monitor_id=1,
            name="m",
            previous="up",
            state="down",
            message="",
            at=now,
        )
    )
    row = OutboxEvent.all_orgs.get(type=STATE)
    assert event_consume(uid=row.uid, now=now) == 1
    assert done.wait(10)
    assert told(log) == [f"{STATE} acme down"]
