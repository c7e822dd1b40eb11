"""Discovery, bootstrap and validation: everything wrong is named, and stops nobody."""

import json
import sys
from collections.abc import Callable
from importlib import invalidate_caches
from pathlib import Path
from typing import Any

import pytest
import yaml

from detectviz.contracts.types import PluginKind
from detectviz.pluginhost.description import PluginDescription
from detectviz.pluginhost.errors import BrokenPluginError
from detectviz.pluginhost.host import PluginHost
from detectviz.pluginhost.pipeline import Verdict, scan
from detectviz.pluginhost.sources import EntryPointSource, FolderSource

COLLECTOR = PluginKind.COLLECTOR
PluginMaker = Callable[..., Path]


def _messages(store: Any, name: str) -> str:
    return " ".join(each.message for each in store.describe(COLLECTOR, name).problems)


def test_a_circle_of_dependencies_is_named_and_breaks_those_in_it(
    make_plugin: PluginMaker, tmp_path: Path
) -> None:
    for name, needed in [("a", "b"), ("b", "c"), ("c", "a"), ("d", "a")]:
        make_plugin(name=name, folder=name, dependencies=[f"collectors/{needed}"])
    make_plugin(name="fine", folder="fine")
    store = scan([tmp_path / "plugins"])
    circle = "collectors/a → collectors/b → collectors/c → collectors/a"
    assert all(circle in _messages(store, name) for name in "abc")
    assert "collectors/a, which is broken" in _messages(store, "d")
    assert store.describe(COLLECTOR, "fine").is_usable


def test_a_plugin_that_needs_itself_is_a_circle(make_plugin: PluginMaker, tmp_path: Path) -> None:
    make_plugin(dependencies=["collectors/dummy"])
    assert "collectors/dummy → collectors/dummy" in _messages(scan([tmp_path / "plugins"]), "dummy")


@pytest.mark.parametrize(
    ("wanted", "complaint"),
    [
        ("collectors/fine", ""),
        ("collectors/fine >=1,<2", ""),
        ("collectors/fine >=2", "version 1.0.0 is installed"),
        ("collectors/gone", "is not here; install it"),
        ("horoscopes/fine", "is not here; install it"),
    ],
)
def test_dependencies_have_versions(
    make_plugin: PluginMaker, tmp_path: Path, wanted: str, complaint: str
) -> None:
    make_plugin(dependencies=[wanted])
    make_plugin(name="fine", folder="fine")
    messages = _messages(scan([tmp_path / "plugins"]), "dummy")
    assert complaint in messages if complaint else not messages


def test_a_range_that_is_none_is_refused(make_plugin: PluginMaker, tmp_path: Path) -> None:
    make_plugin(dependencies=["collectors/fine >=>1"])
    assert "perhaps a range" in _messages(scan([tmp_path / "plugins"]), "dummy")


def test_the_order_has_each_plugin_after_what_it_needs(
    make_plugin: PluginMaker, tmp_path: Path
) -> None:
    make_plugin(name="a", folder="a", dependencies=["collectors/z"])
    make_plugin(name="z", folder="z")
    assert [name for _, name in scan([tmp_path / "plugins"]).order] == ["z", "a"]


def test_an_alias_leads_to_the_plugin(make_plugin: PluginMaker, tmp_path: Path) -> None:
    make_plugin(aliases=["dummy-old", "fine"])
    make_plugin(name="fine", folder="fine")
    host = PluginHost(scan([tmp_path / "plugins"]))
    assert host.load(COLLECTOR, "dummy-old") is host.load(COLLECTOR, "dummy")
    assert host.describe(COLLECTOR, "fine").name == "fine"
    assert "alias fine is already taken" in host.store.problems[0].message


def test_children_come_with_their_parent_and_break_with_it(
    make_plugin: PluginMaker, tmp_path: Path
) -> None:
    parent = make_plugin(name="mother", folder="mother", children=["collectors/child"])
    child = make_plugin(name="child", folder="child")
    (parent / "children" / "collectors").mkdir(parents=True)
    child.rename(parent / "children" / "collectors" / "child")
    store = scan([tmp_path / "plugins"])
    assert store.describe(COLLECTOR, "child").parent == (COLLECTOR, "mother")
    assert [each.name for each in store.children(COLLECTOR, "mother")] == ["child"]
    assert PluginHost(store).load(COLLECTOR, "child")
    (parent / "dummy.py").unlink()
    assert scan([tmp_path / "plugins"]).find(COLLECTOR, "child") is None


def test_a_child_that_is_not_there_breaks_its_parent(
    make_plugin: PluginMaker, tmp_path: Path
) -> None:
    make_plugin(children=["collectors/gone"])
    assert "no folder children/collectors/gone" in _messages(scan([tmp_path / "plugins"]), "dummy")


def test_an_engine_it_is_not_made_for_breaks_it(make_plugin: PluginMaker, tmp_path: Path) -> None:
    make_plugin(engine_version=">=99")
    assert "made for Detectviz >=99" in _messages(scan([tmp_path / "plugins"]), "dummy")


def test_what_trust_refuses_is_shown_and_never_loaded(
    make_plugin: PluginMaker, tmp_path: Path
) -> None:
    make_plugin(code="raise SystemExit('loaded')")

    def judge(plugin: PluginDescription) -> Verdict:
        return Verdict(level="custom", is_allowed=False, reason="Nobody vouches for it.")

    host = PluginHost(scan([tmp_path / "plugins"], judge=judge))
    with pytest.raises(BrokenPluginError, match="Nobody vouches"):
        host.load(COLLECTOR, "dummy")


def test_what_must_be_isolated_is_refused_where_nothing_isolates(
    make_plugin: PluginMaker, tmp_path: Path
) -> None:
    make_plugin(code="raise SystemExit('loaded')")

    def judge(plugin: PluginDescription) -> Verdict:
        return Verdict(level="community", is_allowed=True, is_isolated=True)

    with pytest.raises(BrokenPluginError, match="no sandbox"):
        PluginHost(scan([tmp_path / "plugins"], judge=judge)).load(COLLECTOR, "dummy")


def test_a_folder_that_may_be_missing_is_no_problem(tmp_path: Path) -> None:
    store = scan([FolderSource(folder=tmp_path / "none", is_optional=True)])
    assert store.problems == ()


def test_a_package_brings_plugins_by_entry_points_and_is_not_imported_for_it(
    make_plugin: PluginMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site" / "acme_probes"
    (tmp_path / "site").mkdir()
    make_plugin().rename(package)
    manifest = yaml.safe_load((package / "plugin.yaml").read_text())
    (package / "plugin.yaml").write_text(yaml.safe_dump({**manifest, "name": "acme"}))
    (package / "__init__.py").write_text("")
    information = tmp_path / "site" / "acme_probes-1.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-probes\nVersion: 1\n")
    (information / "entry_points.txt").write_text(
        "[detectviz.plugins]\ncollectors/acme = acme_probes\ncollectors/gone = acme_none\n"
        "horoscopes/x = acme_probes\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    invalidate_caches()
    store = scan([EntryPointSource()])
    assert "acme_probes" not in sys.modules
    assert store.describe(COLLECTOR, "acme").source == "entry point"
    assert PluginHost(store).load(COLLECTOR, "acme")
    problems = [each.message for each in store.problems]
    assert any("collectors/gone names acme_none, which is no package" in each for each in problems)
    assert any("called horoscopes/x; write kind/name" in each for each in problems)


def test_the_schema_of_an_orgs_settings_is_read(make_plugin: PluginMaker, tmp_path: Path) -> None:
    folder = make_plugin()
    (folder / "settings.schema.json").write_text(json.dumps({"type": "object"}))
    manifest = scan([tmp_path / "plugins"]).manifest(COLLECTOR, "dummy")
    assert manifest.settings_schema == {"type": "object"}
    (folder / "settings.schema.json").write_text("[]")
    assert "one object" in _messages(scan([tmp_path / "plugins"]), "dummy")
