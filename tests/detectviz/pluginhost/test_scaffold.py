"""`plugins init` writes plugins that are ready."""

import re
from pathlib import Path

import pytest

from detectviz.contracts.types import PluginKind
from detectviz.pluginhost.checker import check_plugin
from detectviz.pluginhost.kinds import KINDS
from detectviz.pluginhost.scaffold import TEMPLATES, ScaffoldError, plugin_write


@pytest.mark.parametrize("kind", PluginKind)
def test_every_kind_has_a_template_that_passes_the_check(kind: PluginKind, tmp_path: Path) -> None:
    place = plugin_write(kind=kind, name="acme-thing", folder=tmp_path)
    assert place == tmp_path / kind.value / "acme_thing"
    assert [problem.sentence for problem in check_plugin(place)] == []


@pytest.mark.parametrize("kind", PluginKind)
def test_its_tests_subclass_the_suite_of_the_kind(kind: PluginKind, tmp_path: Path) -> None:
    place = plugin_write(kind=kind, name="acme-thing", folder=tmp_path)
    tests = "\n".join(path.read_text() for path in place.glob("tests/test_*.py"))
    assert f"from {KINDS[kind].suite} import" in tests
    assert re.search(r"^class Test\w+\(\w+\):", tests, re.MULTILINE)


def test_everything_is_filled_in(tmp_path: Path) -> None:
    for kind in PluginKind:
        plugin_write(kind=kind, name="acme-thing", folder=tmp_path, title='Things: "more"')
    texts = [path.read_text() for path in tmp_path.rglob("*") if path.is_file()]
    assert not [problem for path in tmp_path.glob("*/*/") for problem in check_plugin(path)]
    assert not [text for text in texts if re.search(r"{{\w+}}", text)]
    manifest = (tmp_path / "collectors" / "acme_thing" / "plugin.yaml").read_text()
    assert "name: acme-thing\n" in manifest
    assert 'title: "Things: \\"more\\""\n' in manifest
    assert "capability: collector:AcmeThing\n" in manifest


def test_no_template_is_without_its_kind() -> None:
    folders = {path.name for path in TEMPLATES.iterdir() if path.is_dir()}
    assert folders - {"common", "project"} == set(PluginKind)


@pytest.mark.parametrize("name", ["", "Disk", "../disk", "disk_full", "7up", "a--b", "x" * 64])
def test_a_name_no_plugin_may_have_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ScaffoldError, match="cannot have the name"):
        plugin_write(kind=PluginKind.COLLECTOR, name=name, folder=tmp_path)
    assert not list(tmp_path.iterdir())


def test_what_is_there_is_not_written_over(tmp_path: Path) -> None:
    place = plugin_write(kind=PluginKind.COLLECTOR, name="disk", folder=tmp_path)
    (place / "README.md").write_text("mine")
    with pytest.raises(ScaffoldError, match="is there already"):
        plugin_write(kind=PluginKind.COLLECTOR, name="disk", folder=tmp_path)
    assert (place / "README.md").read_text() == "mine"


def test_a_folder_with_settings_of_pytest_keeps_them(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("")
    plugin_write(kind=PluginKind.COLLECTOR, name="disk", folder=tmp_path)
    assert not (tmp_path / "pytest.ini").exists()
