"""Hooks are called in order, each within its time, and a failed one touches nobody else."""

import builtins
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from detectviz.contracts.types import PluginKind
from detectviz.pluginhost.errors import BrokenPluginError
from detectviz.pluginhost.host import HostOptions, PluginHost
from detectviz.pluginhost.pipeline import scan
from detectviz.testing.product import until

COLLECTOR = PluginKind.COLLECTOR
DUMMY = (COLLECTOR, "dummy")
PluginMaker = Callable[..., Path]
TELLING = """
import builtins
from plugins.collectors.{folder}.names import NAME


class DummyCollector:
    def check(self, context): ...

    def on_register(self, context):
        builtins.told.append((NAME, "register", context.settings.get("size")))

    def on_start(self, context):
        builtins.told.append((NAME, "start", context.version))

    def on_stop(self, context):
        builtins.told.append((NAME, "stop", context.kind.value))

    def on_shutdown(self, context):
        builtins.told.append((NAME, "shutdown", context.now().tzinfo is not None))
"""


@pytest.fixture(autouse=True)
def told() -> Iterator[list[Any]]:
    """Where plugins of a test write down what they were told."""
    found: list[Any] = []
    builtins.told = found  # type: ignore[attr-defined]  # made by this test
    yield found
    del builtins.told  # type: ignore[attr-defined]  # made by this test


@pytest.fixture
def make_telling(make_plugin: PluginMaker) -> PluginMaker:
    """Return a function that writes a plugin which tells of its hooks."""

    def make(name: str = "dummy", **changes: Any) -> Path:
        folder = make_plugin(name=name, folder=name, code=TELLING.format(folder=name), **changes)
        (folder / "names.py").write_text(f"NAME = {name!r}\n")
        return folder

    return make


def _host(tmp_path: Path, **options: Any) -> PluginHost:
    return PluginHost(scan([tmp_path / "plugins"]), HostOptions(**options))


def test_hooks_are_called_in_order_with_the_settings_of_the_deployment(
    make_telling: PluginMaker, tmp_path: Path, told: list[Any]
) -> None:
    make_telling()
    host = _host(tmp_path, settings_of=lambda _: {"size": 3})
    host.load(*DUMMY)
    host.load(*DUMMY)
    host.shutdown()
    assert told == [
        ("dummy", "register", 3),
        ("dummy", "start", "1.0.0"),
        ("dummy", "stop", "collectors"),
        ("dummy", "shutdown", True),
    ]


def test_a_plugin_nobody_calls_is_not_loaded_unless_it_is_eager(
    make_telling: PluginMaker, tmp_path: Path, told: list[Any]
) -> None:
    make_telling("lazy")
    make_telling("early", loading="eager")
    host = _host(tmp_path)
    host.start()
    assert {name for name, *_ in told} == {"early"}


def test_dependencies_start_first_and_stop_last(
    make_telling: PluginMaker, tmp_path: Path, told: list[Any]
) -> None:
    make_telling("upper", dependencies=["collectors/lower >=1,<2"])
    make_telling("lower")
    host = _host(tmp_path)
    host.load(COLLECTOR, "upper")
    host.shutdown()
    assert [name for name, hook, _ in told if hook == "start"] == ["lower", "upper"]
    assert [name for name, hook, _ in told if hook == "stop"] == ["upper", "lower"]


@pytest.mark.parametrize("hook", ["on_register", "on_start"])
@pytest.mark.parametrize("failure", ["raise ValueError('no')", "raise SystemExit(3)"])
def test_a_failed_first_hook_keeps_the_plugin_out_with_its_reason(
    make_plugin: PluginMaker, tmp_path: Path, hook: str, failure: str
) -> None:
    code = f"class DummyCollector:\n    check = print\n    def {hook}(self, context): {failure}\n"
    make_plugin(code=code)
    make_plugin(name="fine", folder="fine")
    host = _host(tmp_path)
    with pytest.raises(BrokenPluginError, match=f"{hook} failed"):
        host.load(*DUMMY)
    assert host.describe(*DUMMY).status == "broken"
    assert host.health(*DUMMY).status == "error"
    assert host.load(COLLECTOR, "fine")


def test_a_start_that_failed_is_tried_again_later(
    make_plugin: PluginMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_plugin(
        code="import builtins\nclass DummyCollector:\n    check = print\n"
        "    def on_start(self, context):\n"
        "        builtins.told.append(1)\n"
        "        if len(builtins.told) == 1: raise OSError('not yet')\n"
    )
    host = _host(tmp_path)
    with pytest.raises(BrokenPluginError, match="not yet"):
        host.load(*DUMMY)
    with pytest.raises(BrokenPluginError, match="not yet"):
        host.load(*DUMMY)
    assert len(builtins.told) == 1  # type: ignore[attr-defined]  # made by this test
    monkeypatch.setattr("detectviz.pluginhost.host.time.monotonic", lambda: 1e9)
    assert host.load(*DUMMY)
    assert host.describe(*DUMMY).status == "loaded"


def test_a_hook_that_hangs_is_left_behind_in_time(make_plugin: PluginMaker, tmp_path: Path) -> None:
    make_plugin(
        code="import threading\nclass DummyCollector:\n    check = print\n"
        "    def on_start(self, context): threading.Event().wait(2)\n"
    )
    with pytest.raises(BrokenPluginError, match="did not end within"):
        _host(tmp_path, hook_timeout_s=0.05).load(*DUMMY)


def test_a_failed_last_hook_changes_nothing(
    make_plugin: PluginMaker, make_telling: PluginMaker, tmp_path: Path, told: list[Any]
) -> None:
    make_plugin(
        code="class DummyCollector:\n    check = print\n"
        "    def on_stop(self, context): raise ValueError\n"
    )
    make_telling("other")
    host = _host(tmp_path)
    host.load(*DUMMY)
    host.load(COLLECTOR, "other")
    host.shutdown()
    assert ("other", "shutdown", True) in told


def test_a_changed_plugin_stops_after_its_last_call_and_starts_anew(
    make_telling: PluginMaker, tmp_path: Path, told: list[Any]
) -> None:
    folder = make_telling()
    host = _host(tmp_path)
    running = host.client.running(*DUMMY)
    running.enter()
    (folder / "names.py").write_text("NAME = 'second'\n")
    host.replace_store(scan([tmp_path / "plugins"]))
    assert [(name, hook) for name, hook, _ in told][-1] == ("second", "start")
    assert ("dummy", "stop", "collectors") not in told
    running.leave()
    until(lambda: ("dummy", "stop", "collectors") in told, "the thread that stops a plugin")
    host.shutdown()
    assert ("second", "shutdown", True) in told


def test_an_unchanged_plugin_goes_on_when_others_change(
    make_telling: PluginMaker, tmp_path: Path, told: list[Any]
) -> None:
    make_telling()
    host = _host(tmp_path)
    instance = host.load(*DUMMY)
    make_telling("other")
    host.replace_store(scan([tmp_path / "plugins"]))
    assert host.load(*DUMMY) is instance
    assert [hook for _, hook, _ in told] == ["register", "start"]
