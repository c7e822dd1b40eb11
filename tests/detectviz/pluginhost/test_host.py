"""Scanning finds every plugin and runs none; loading runs one, once."""

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from detectviz.contracts.types import PluginKind
from detectviz.pluginhost.errors import BrokenPluginError, NotRegisteredError, UnavailableError
from detectviz.pluginhost.host import PluginHost
from detectviz.pluginhost.pipeline import scan

COLLECTOR = PluginKind.COLLECTOR
PluginMaker = Callable[..., Path]
COUNTING = """
import builtins
builtins.dummy_imports = getattr(builtins, "dummy_imports", 0) + 1


class DummyCollector:
    async def check(self, context): ...
"""


def test_scanning_imports_nothing(make_plugin: PluginMaker, tmp_path: Path) -> None:
    make_plugin(code="raise SystemExit('imported')")
    host = PluginHost(scan([tmp_path / "plugins"]))
    assert [plugin.name for plugin in host.list()] == ["dummy"]
    assert host.describe(COLLECTOR, "dummy").status == "available"


def test_a_plugin_that_is_switched_off_is_shown_with_the_reason_and_never_runs(
    make_plugin: PluginMaker, tmp_path: Path
) -> None:
    make_plugin(code="raise SystemExit('imported')")
    host = PluginHost(scan([tmp_path / "plugins"], off=["collectors/dummy", "none"]))
    assert host.describe(COLLECTOR, "dummy").status == "disabled"
    with pytest.raises(UnavailableError, match="DETECTVIZ_PLUGINS_OFF"):
        host.load(COLLECTOR, "dummy")


def test_loading_makes_one_instance(make_plugin: PluginMaker, tmp_path: Path) -> None:
    make_plugin()
    host = PluginHost(scan([tmp_path / "plugins"]))
    instance = host.load(COLLECTOR, "dummy")
    assert type(instance).__module__ == "plugins.collectors.dummy.dummy"
    assert host.load(COLLECTOR, "dummy") is instance
    assert host.describe(COLLECTOR, "dummy").status == "loaded"


def test_threads_loading_at_once_import_once(make_plugin: PluginMaker, tmp_path: Path) -> None:
    make_plugin(code=COUNTING)
    host = PluginHost(scan([tmp_path / "plugins"]))
    import builtins  # noqa: PLC0415 - the counter lives where any module can reach it

    builtins.dummy_imports = 0  # type: ignore[attr-defined]  # made by this test
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: host.load(COLLECTOR, "dummy"), range(32)))
    assert len({id(each) for each in found}) == 1
    assert builtins.dummy_imports == 1  # type: ignore[attr-defined]  # made by this test


def test_modules_of_a_plugin_import_each_other_by_full_name(
    make_plugin: PluginMaker, tmp_path: Path
) -> None:
    folder = make_plugin(
        name="two-words",
        folder="two_words",
        code="from plugins.collectors.two_words.words import DummyCollector\n",
    )
    (folder / "words.py").write_text("class DummyCollector:\n    def check(self): ...\n")
    instance = PluginHost(scan([tmp_path / "plugins"])).load(COLLECTOR, "two-words")
    assert type(instance).__module__ == "plugins.collectors.two_words.words"


def test_a_plugin_folder_never_reaches_the_search_path(
    make_plugin: PluginMaker, tmp_path: Path
) -> None:
    make_plugin()
    before = list(sys.path)
    PluginHost(scan([tmp_path / "plugins"])).load(COLLECTOR, "dummy")
    assert sys.path == before


def test_another_host_loads_its_own_folder(make_plugin: PluginMaker, tmp_path: Path) -> None:
    make_plugin(source="one")
    make_plugin(source="two", code="class DummyCollector:\n    second = True\n    check = print\n")
    PluginHost(scan([tmp_path / "one"])).load(COLLECTOR, "dummy")
    second = PluginHost(scan([tmp_path / "two"])).load(COLLECTOR, "dummy")
    assert hasattr(second, "second")


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import no_such_module_anywhere", "ModuleNotFoundError"),
        ("def broken(:", "SyntaxError"),
        ("class Other: ...", "AttributeError"),
        ("class DummyCollector:\n    def __init__(self, x): ...", "TypeError"),
        ("class DummyCollector: ...", "has no method check"),
    ],
)
def test_a_plugin_that_fails_to_load_is_shown_broken_and_stops_nobody(
    make_plugin: PluginMaker, tmp_path: Path, code: str, reason: str
) -> None:
    make_plugin(code=code)
    make_plugin(name="fine", folder="fine")
    host = PluginHost(scan([tmp_path / "plugins"]))
    with pytest.raises(BrokenPluginError, match=reason):
        host.load(COLLECTOR, "dummy")
    broken = host.describe(COLLECTOR, "dummy")
    assert broken.status == "broken"
    assert reason in broken.problems[0].message
    with pytest.raises(BrokenPluginError):
        host.manifest(COLLECTOR, "dummy")
    assert host.load(COLLECTOR, "fine")


def test_a_wrong_manifest_is_shown_broken_and_stops_nobody(
    make_plugin: PluginMaker, tmp_path: Path
) -> None:
    make_plugin(title=None)
    make_plugin(name="fine", folder="fine")
    host = PluginHost(scan([tmp_path / "plugins"]))
    statuses = {plugin.name: plugin.status for plugin in host.list(COLLECTOR)}
    assert statuses == {"dummy": "broken", "fine": "available"}
    with pytest.raises(BrokenPluginError, match="Title is required"):
        host.load(COLLECTOR, "dummy")


def test_asking_for_an_unknown_plugin_names_the_known_ones(
    make_plugin: PluginMaker, tmp_path: Path
) -> None:
    make_plugin()
    host = PluginHost(scan([tmp_path / "plugins"]))
    with pytest.raises(NotRegisteredError, match="use one of: dummy"):
        host.load(COLLECTOR, "../../etc")


def test_a_missing_dependency_breaks_its_plugin_and_those_that_need_it(
    make_plugin: PluginMaker, tmp_path: Path
) -> None:
    make_plugin(dependencies=["collectors/gone"])
    make_plugin(name="dependent", folder="dependent", dependencies=["collectors/dummy"])
    make_plugin(name="fine", folder="fine")
    host = PluginHost(scan([tmp_path / "plugins"]))
    assert host.describe(COLLECTOR, "dummy").problems[0].field == "/dependencies/0"
    assert "is broken; put that right first" in (
        host.describe(COLLECTOR, "dependent").problems[0].message
    )
    assert host.describe(COLLECTOR, "fine").status == "available"


def test_the_first_source_wins_a_name_and_the_second_is_reported(
    make_plugin: PluginMaker, tmp_path: Path
) -> None:
    first = make_plugin(source="one")
    second = make_plugin(source="two")
    host = PluginHost(scan([tmp_path / "one", tmp_path / "two", tmp_path / "three"]))
    assert host.describe(COLLECTOR, "dummy").folder == first
    assert [problem.path for problem in host.store.problems] == [second, tmp_path / "three"]


def test_a_folder_of_an_unknown_kind_is_reported(tmp_path: Path) -> None:
    (tmp_path / "plugins" / "horoscopes" / "x").mkdir(parents=True)
    (tmp_path / "plugins" / "__pycache__").mkdir()
    (problem,) = scan([tmp_path / "plugins"]).problems
    assert "horoscopes is no kind" in problem.message
