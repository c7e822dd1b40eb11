"""A plugin of each kind by a stranger: written, checked, tested, signed, installed, removed."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from apps.extensions.selectors import plugin_host, plugin_host_use
from detectviz.contracts.types import PluginKind
from detectviz.pluginhost.kinds import KINDS
from detectviz.pluginhost.manifest import MANIFEST_FILE
from detectviz.pluginhost.scaffold import TEMPLATES, plugin_write
from detectviz.testing.stranger import Stranger

NAME = "acme-thing"
WRITTEN = [kind for kind in PluginKind if (TEMPLATES / kind.value).is_dir()]


@pytest.mark.timeout(240)
def test_a_plugin_of_every_kind_passes_its_tests_outside_of_the_project(tmp_path: Path) -> None:
    stranger = Stranger(tmp_path)
    for kind in WRITTEN:
        plugin_write(kind=kind, name=NAME, folder=tmp_path)
    said = stranger.run("pytest", "-q", "-rA", "--no-header")
    for kind in WRITTEN:
        assert f"PASSED {kind.value}/acme_thing/tests/test_" in said
    # Nothing was left behind that could not be signed.
    folders = {path.name for path in tmp_path.iterdir() if path.name != ".installed"}
    assert folders == {"pytest.ini", *(kind.value for kind in WRITTEN)}


@pytest.fixture
def scratch(settings: object, tmp_path: Path) -> Iterator[Path]:
    settings.DATA_DIR = tmp_path / "data"  # type: ignore[attr-defined]  # Django's fixture
    settings.PLUGIN_TRUST_DIR = tmp_path / "trust"  # type: ignore[attr-defined]  # Django's fixture
    plugin_host_use(None)
    yield tmp_path
    plugin_host_use(None)


def run(*arguments: object) -> str:
    said = io.StringIO()
    call_command("plugins", *map(str, arguments), stdout=said)
    plugin_host_use(None)
    return said.getvalue().strip()


def bundle(place: Path, version: str) -> Path:
    scratch = place.parents[1]
    manifest = place / MANIFEST_FILE
    lines = manifest.read_text().splitlines()
    lines = [f"version: {version}" if each.startswith("version:") else each for each in lines]
    manifest.write_text("\n".join(lines))
    run("check", place)
    run("sign", place, "--key", scratch / "acme.key")
    return Path(run("bundle", place, "--out", scratch))


@pytest.mark.django_db
@pytest.mark.parametrize("kind", WRITTEN)
def test_it_is_installed_loaded_updated_not_rolled_back_and_removed(
    kind: PluginKind, scratch: Path
) -> None:
    run("init", "--kind", kind, "--name", NAME, "--folder", scratch)
    place = scratch / kind.value / "acme_thing"
    run("keygen", scratch / "acme")
    run("trust", scratch / "acme.pub", "--store", "partners", "--level", "verified")
    first = bundle(place, "1.0.0")

    assert "1.0.0 is installed (verified)" in run("install", first, "--approve")
    assert callable(getattr(plugin_host().load(kind, NAME), KINDS[kind].verb))
    assert "1.1.0 is installed in place of 1.0.0" in run("install", bundle(place, "1.1.0"))
    assert plugin_host().manifest(kind, NAME).version == "1.1.0"
    with pytest.raises(CommandError, match="was here before"):
        run("install", first, "--approve")
    assert plugin_host().manifest(kind, NAME).version == "1.1.0"
    assert callable(getattr(plugin_host().load(kind, NAME), KINDS[kind].verb))
    run("remove", f"{kind.value}/{NAME}")
    with pytest.raises(Exception, match=f"no plugin '{NAME}'"):
        plugin_host().load(kind, NAME)
