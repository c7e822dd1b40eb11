"""Every call goes through the client: routed, measured, its failure told apart."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from detectviz.contracts.errors import PluginError, QueryError
from detectviz.contracts.types import PluginKind
from detectviz.pluginhost.description import PluginKey
from detectviz.pluginhost.errors import (
    HealthCheckFailedError,
    MethodNotImplementedError,
    NotRegisteredError,
    PluginHostError,
    RequestCancelledError,
    RequestFailedError,
    UnavailableError,
)
from detectviz.pluginhost.host import HostOptions, PluginHost
from detectviz.pluginhost.pipeline import scan
from detectviz.pluginhost.registry import Running
from detectviz.pluginhost.telemetry import errors_total, executions_total

COLLECTOR = PluginKind.COLLECTOR
PluginMaker = Callable[..., Path]


class Plugin:
    """Does what the test says."""

    def check(self, work: Callable[[], Any]) -> Any:
        return work()

    def check_health(self) -> None:
        raise QueryError("The table is gone.")


@pytest.fixture
def host(make_plugin: PluginMaker, tmp_path: Path) -> PluginHost:
    make_plugin()
    options = HostOptions(loader=lambda *_: Plugin(), is_enabled=_is_enabled)
    return PluginHost(scan([tmp_path / "plugins"]), options)


def _is_enabled(key: PluginKey, org: str | None) -> bool:
    return org != "without"


def _call(host: PluginHost, work: Callable[[], Any], **options: Any) -> Any:
    return host.client.call(
        COLLECTOR, "dummy", "check", lambda plugin: plugin.check(work), **options
    )


def _raise(error: BaseException) -> Any:
    raise error


def test_the_answer_comes_back_and_the_call_is_counted(host: PluginHost) -> None:
    counted = executions_total.labels("collectors", "dummy", "ok")
    before = counted._value.get()
    assert _call(host, lambda: 42) == 42
    running = host.registry.find((COLLECTOR, "dummy"))
    assert running is not None
    assert (running.statistics.executions, running.in_flight) == (1, 0)
    assert counted._value.get() == before + 1


def test_an_unknown_plugin_is_not_registered(host: PluginHost) -> None:
    with pytest.raises(NotRegisteredError, match="use one of: dummy"):
        host.client.call(COLLECTOR, "gone", "check", lambda plugin: plugin)


def test_a_name_nobody_registered_becomes_no_label(host: PluginHost) -> None:
    with pytest.raises(NotRegisteredError):
        host.client.instance(COLLECTOR, "made-up-by-a-caller")
    names = {sample.labels["plugin"] for sample in next(iter(errors_total.collect())).samples}
    assert "made-up-by-a-caller" not in names


def test_a_method_the_plugin_lacks_is_named(host: PluginHost) -> None:
    with pytest.raises(MethodNotImplementedError, match="does not offer 'stream'"):
        host.client.call(COLLECTOR, "dummy", "stream", lambda plugin: plugin.stream())


def test_a_plugin_that_is_off_for_an_org_is_unavailable_to_it_alone(host: PluginHost) -> None:
    assert _call(host, lambda: 1, org="with") == 1
    with pytest.raises(UnavailableError, match="for the organisation without") as caught:
        _call(host, lambda: 1, org="without")
    assert caught.value.reason == "disabled"


def test_a_plugin_that_is_off_is_not_even_loaded(host: PluginHost) -> None:
    with pytest.raises(UnavailableError):
        _call(host, lambda: 1, org="without")
    assert host.registry.find((COLLECTOR, "dummy")) is None


def test_a_typed_failure_of_the_plugin_is_the_cause(host: PluginHost) -> None:
    error = PluginError("No such table.", permanent=True)
    with pytest.raises(RequestFailedError, match="No such table") as caught:
        _call(host, lambda: _raise(error))
    assert caught.value.__cause__ is error
    assert caught.value.permanent
    running = host.registry.find((COLLECTOR, "dummy"))
    assert running is not None
    assert (running.statistics.failed, running.statistics.errors) == (1, 0)


def test_whatever_else_it_raises_is_an_error_of_the_plugin(host: PluginHost) -> None:
    for _ in range(5):
        with pytest.raises(RequestFailedError, match="ZeroDivisionError"):
            _call(host, lambda: 1 / 0)
    health = host.health(COLLECTOR, "dummy")
    assert health.status == "degraded"
    assert "ZeroDivisionError" in health.message
    _call(host, lambda: 1)
    assert host.health(COLLECTOR, "dummy").status == "ok"


def test_one_that_waits_to_be_started_again_is_not_well(
    host: PluginHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    _call(host, lambda: 1)
    monkeypatch.setattr(Running, "waiting", lambda _: "It starts again in 4 s.")
    health = host.health(COLLECTOR, "dummy")
    assert (health.status, health.message) == ("degraded", "It starts again in 4 s.")


def test_a_failure_after_the_caller_left_is_a_cancellation(host: PluginHost) -> None:
    with pytest.raises(RequestCancelledError):
        _call(host, lambda: _raise(PluginError("stopped")), is_cancelled=lambda: True)


def test_a_failed_health_check_is_told_apart(host: PluginHost) -> None:
    with pytest.raises(HealthCheckFailedError, match="The table is gone"):
        host.client.check_health(COLLECTOR, "dummy", lambda plugin: plugin.check_health())


def test_a_decommissioned_instance_ends_its_calls_and_takes_no_new_ones(host: PluginHost) -> None:
    entered, release = threading.Event(), threading.Event()

    def slow() -> str:
        entered.set()
        release.wait(5)
        return "done"

    found: list[str] = []
    thread = threading.Thread(target=lambda: found.append(_call(host, slow)))
    thread.start()
    entered.wait(5)
    running = host.registry.find((COLLECTOR, "dummy"))
    assert running is not None
    host.decommission((COLLECTOR, "dummy"))
    with pytest.raises(UnavailableError) as caught:
        running.enter()
    assert caught.value.reason == "decommissioned"
    release.set()
    thread.join(5)
    assert found == ["done"]
    assert _call(host, lambda: 2) == 2
    assert host.registry.find((COLLECTOR, "dummy")) is not running


async def test_an_awaited_call_is_counted_and_its_failure_translated(host: PluginHost) -> None:
    async def work(plugin: Plugin) -> int:
        await asyncio.sleep(0)
        return plugin.check(lambda: 3)  # type: ignore[no-any-return]  # the fake returns anything

    async def fail(plugin: Plugin) -> None:
        raise PluginError("no")

    assert await host.client.call_async(COLLECTOR, "dummy", "check", work) == 3
    with pytest.raises(RequestFailedError):
        await host.client.call_async(COLLECTOR, "dummy", "check", fail)


async def test_the_cancellation_of_the_callers_own_task_stays_asyncios(host: PluginHost) -> None:
    async def forever(plugin: Plugin) -> None:
        await asyncio.Event().wait()

    task = asyncio.create_task(host.client.call_async(COLLECTOR, "dummy", "check", forever))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_cancellation_inside_the_plugin_is_no_cancellation_of_the_caller(
    host: PluginHost,
) -> None:
    async def inner(plugin: Plugin) -> None:
        raise asyncio.CancelledError

    with pytest.raises(RequestCancelledError):
        await host.client.call_async(COLLECTOR, "dummy", "check", inner)


def test_every_error_of_the_host_names_the_plugin(host: PluginHost) -> None:
    with pytest.raises(PluginHostError) as caught:
        host.client.call(COLLECTOR, "gone", "check", lambda plugin: plugin)
    assert (caught.value.kind, caught.value.name) == (COLLECTOR, "gone")


def test_calls_never_notice_that_their_plugin_is_replaced(host: PluginHost) -> None:
    ends = threading.Event()
    failures: list[BaseException] = []

    def call_on() -> None:
        while not ends.is_set():
            try:
                _call(host, lambda: 1)
            except BaseException as error:  # noqa: BLE001 - any failure fails the test below
                failures.append(error)

    threads = [threading.Thread(target=call_on) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(100):
        host.decommission((COLLECTOR, "dummy"))
    ends.set()
    for thread in threads:
        thread.join(5)
    assert failures == []
