"""Isolated plugins work as others do: every shape of verb, services of the host, orgs apart."""

import logging
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from prometheus_client import REGISTRY

from detectviz.contracts.errors import DeliveryError, NetworkError, PluginError
from detectviz.contracts.importer import ImporterContext
from detectviz.contracts.lifecycle import HookContext, PluginEvent
from detectviz.contracts.network import HttpClient
from detectviz.contracts.notifier import MailMessage, Notification, NotifierContext
from detectviz.contracts.types import AlertStatus, PluginKind
from detectviz.pluginhost.sandbox import bubblewrap, launching
from detectviz.pluginhost.sandbox.limits import SandboxPolicy
from detectviz.pluginhost.scope import calling_for
from tests.detectviz.pluginhost.sandbox.conftest import LIMITS, Isolate, PluginWriter
from tests.detectviz.pluginhost.sandbox.test_enemy import ENEMY, attack

NOTIFIER = """
from detectviz.contracts.errors import DeliveryError
from detectviz.contracts.notifier import MailMessage, Receipt

class Enemy:
    def notify(self, notification, context):
        if notification.is_test:
            raise DeliveryError("no", reason="rateLimited", retry_after_s=7.0)
        context.logger.info("sending")
        sent = context.mail.send(MailMessage(to=("a@b",), subject=notification.receiver, text="x"))
        context.http.require_allowed("refused.example", 443)
        return Receipt(answer=sent)
"""
IMPORTER = """
from detectviz.contracts.batches import Batch
from detectviz.contracts.records import MetricRecord, Signal

class Enemy:
    signals = frozenset({Signal.METRICS})

    def read(self, context):
        for at in range(5):
            record = MetricRecord(labels={"__name__": "x"}, timestamp_ms=at, value=1.0)
            yield Batch(records=(record,), cursor={"at": at})
"""


class Mail:
    def send(self, message: MailMessage) -> str:
        return f"<{message.subject}>"


class Http:
    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []

    def require_allowed(self, host: str, port: int) -> None:
        self.asked.append((host, port))


def notification(*, is_test: bool = False) -> Notification:
    return Notification(
        receiver="ops",
        status=AlertStatus.FIRING,
        alerts=(),
        group_key="g",
        group_labels={},
        common_labels={},
        common_annotations={},
        external_url="",
        org="acme",
        rule_group="",
        delivery_id="d",
        url="",
        is_test=is_test,
    )


def test_a_blocking_plugin_uses_services_and_raises_the_contracts_errors(
    write_plugin: PluginWriter, isolate: Isolate
) -> None:
    plugin: Any = isolate(write_plugin(NOTIFIER, kind="notifiers"))
    http = Http()
    given = NotifierContext(
        config={},
        secrets={},
        timeout_s=5,
        http=cast("HttpClient", http),
        mail=Mail(),
        now=lambda: datetime.now(UTC),
        logger=logging.getLogger("enemy"),
    )
    assert plugin.notify(notification(), given).answer == "<ops>"
    assert http.asked == [("refused.example", 443)]
    with pytest.raises(DeliveryError, match="no") as caught:
        plugin.notify(notification(is_test=True), given)
    assert (caught.value.reason, caught.value.retry_after_s) == ("rateLimited", 7.0)


def test_a_stream_comes_one_item_at_a_time(write_plugin: PluginWriter, isolate: Isolate) -> None:
    plugin: Any = isolate(write_plugin(IMPORTER, kind="importers"))
    given = ImporterContext(
        config={},
        secrets={},
        timeout_s=5,
        batch_size=1,
        cursor={},
        http=cast("HttpClient", Http()),
        connector=_Connector(),
        is_cancelled=lambda: False,
        now=lambda: datetime.now(UTC),
        logger=logging.getLogger("enemy"),
    )
    batches: Iterator[Any] = plugin.read(given)
    assert next(batches).cursor == {"at": 0}
    assert [batch.cursor["at"] for batch in batches] == [1, 2, 3, 4]


class _Connector:
    def address(self, host: str, port: int) -> str:
        raise NetworkError("no", phase="resolve")

    def file(self, path: str) -> str:
        return path


async def test_two_orgs_never_share_a_process(write_plugin: PluginWriter, isolate: Isolate) -> None:
    plugin = isolate(write_plugin(ENEMY))
    with calling_for("acme"):
        first = await attack(plugin, "keep", text="secret of acme ")
        again = await attack(plugin, "keep", text="more ")
    with calling_for("other"):
        foreign = await attack(plugin, "keep", text="x")
    assert first["pid"] == again["pid"] or len(again["seen"]) == 2
    assert foreign["seen"] == ["x"]
    assert "acme" not in foreign["disk"]


def refusals(permission: str) -> float:
    labels = {"kind": "collectors", "plugin": "enemy", "permission": permission}
    return REGISTRY.get_sample_value("detectviz_plugin_refusals_total", labels) or 0.0


async def test_what_it_tries_is_told(write_plugin: PluginWriter, isolate: Isolate) -> None:
    plugin = isolate(write_plugin(ENEMY))
    before = {name: refusals(name) for name in ("processes", "imports", "files", "network")}
    await attack(plugin, "fork")
    await attack(plugin, "imports", names=["detectviz.settings"])
    await attack(plugin, "read", files=["/etc/shadow"], home="/root")
    await attack(plugin, "network", port=1, unix="/nowhere")
    assert all(refusals(name) > count for name, count in before.items())


async def test_without_bubblewrap_it_is_refused_or_loudly_degraded(
    write_plugin: PluginWriter,
    isolate: Isolate,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(bubblewrap, "find_obstacle", lambda: "it is not installed")
    # The folders of a test are closed to every other user.
    monkeypatch.setattr(launching, "own_uid", lambda: 0)
    folder = write_plugin(ENEMY)
    with pytest.raises(Exception, match="must run isolated and cannot here"):
        isolate(folder)
    caplog.clear()
    plugin = isolate(folder, policy=SandboxPolicy(confinement="degrade", limits=LIMITS))
    assert "DEGRADED" in caplog.text
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        found = await attack(plugin, "network", port=port, unix="/nowhere")
    assert found["tcp"].startswith("PermissionError")
    forked = await attack(plugin, "fork")
    assert forked["fork"].startswith("PermissionError")


def test_one_that_listens_is_told_in_its_process(
    write_plugin: PluginWriter, isolate: Isolate
) -> None:
    code = """
        from detectviz.contracts.errors import PluginError

        class Enemy:
            async def check(self, context): ...
            def on_event(self, event, context):
                raise PluginError(f"{event.type} {event.org} {event.data['state']} {context.name}")
        """
    plugin = isolate(write_plugin(code))
    event = PluginEvent(
        uid="u",
        type="detectviz.monitor.state-changed",
        version=1,
        subject="m",
        org="acme",
        data={"state": "down"},
        at=datetime.now(UTC),
    )
    with pytest.raises(PluginError, match=r"state-changed acme down enemy"):
        plugin.on_event(event, hook_context_of("enemy"))


def hook_context_of(name: str) -> HookContext:
    return HookContext(
        kind=PluginKind.COLLECTOR,
        name=name,
        version="1.0.0",
        now=lambda: datetime.now(UTC),
        logger=logging.getLogger("test"),
    )
