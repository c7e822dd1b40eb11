"""What stands between finding a plugin and running it."""

import py_compile
import sys
from pathlib import Path

import pytest

from detectviz.contracts.manifest import Manifest
from detectviz.contracts.types import PluginKind
from detectviz.pluginhost.description import PluginDescription
from detectviz.pluginhost.errors import BrokenPluginError
from detectviz.pluginhost.gate import TrustGate, UntrustedError
from detectviz.pluginhost.host import HostOptions, PluginHost
from detectviz.pluginhost.installing import (
    InstallError,
    bundle_open,
    install,
    installed_folder,
    installed_list,
    remove,
)
from detectviz.pluginhost.pipeline import scan
from detectviz.pluginhost.sources import FolderSource
from tests.detectviz.pluginhost.conftest import CODE, PluginMaker, Signer

COLLECTOR = PluginKind.COLLECTOR
NAME = "collectors/dummy"
USING_WORDS = (
    CODE + "\nfrom plugins.collectors.dummy.words import WORD\nDummyCollector.word = WORD\n"
)


class Place:
    """An installation: a root, a gate and a host."""

    def __init__(self, signer: Signer, folder: Path) -> None:
        self.signer, self.root = signer, folder / "installed"
        self.approvals: dict[str, frozenset[str]] = {}
        self.started: list[Path] = []
        self.gate = TrustGate(
            signer.policy, lambda: self.approvals, copies=lambda: folder / "running"
        )
        self.source = FolderSource(folder=self.root, source="installed", is_optional=True)

    def install(self, plugin: Path) -> None:
        policy = self.signer.policy()
        install(bundle_open(self.signer.sign(plugin), policy), self.root, policy.state)

    def host(self) -> PluginHost:
        def isolated(folder: Path, manifest: Manifest) -> object:
            self.started.append(folder)
            return type("Proxy", (), {"check": print})()

        options = HostOptions(loader=self.gate.load, isolated_loader=self.gate.guard(isolated))
        return PluginHost(scan([self.source], judge=self.gate.judge), options)


@pytest.fixture
def place(signer: Signer, tmp_path: Path) -> Place:
    return Place(signer, tmp_path)


@pytest.fixture
def plugin(make_plugin: PluginMaker) -> Path:
    folder = make_plugin(code=USING_WORDS)
    (folder / "words.py").write_text("WORD = 'signed'\n")
    return folder


def test_an_installed_plugin_runs_under_its_usual_name(place: Place, plugin: Path) -> None:
    place.install(plugin)
    instance = place.host().load(COLLECTOR, "dummy")
    assert instance.word == "signed"
    assert type(instance).__module__ == "plugins.collectors.dummy.dummy"


def test_what_is_written_between_the_judgement_and_the_import_is_not_imported(
    place: Place, plugin: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.install(plugin)
    host = place.host()
    folder = installed_folder(NAME, place.root)
    assert folder is not None
    judge_again = place.gate._judge_again

    def judged_then_written(asked: Path) -> object:
        judged = judge_again(asked)
        (folder / "words.py").write_text("WORD = 'evil'\n")
        return judged

    monkeypatch.setattr(place.gate, "_judge_again", judged_then_written)
    assert host.load(COLLECTOR, "dummy").word == "signed"


def test_compiled_leftovers_are_not_run(place: Place, plugin: Path) -> None:
    place.install(plugin)
    folder = installed_folder(NAME, place.root)
    assert folder is not None
    evil = plugin.parent / "evil.py"
    evil.write_text("WORD = 'evil'\n")
    cached = folder / "__pycache__" / f"words.{sys.implementation.cache_tag}.pyc"
    py_compile.compile(
        str(evil), str(cached), invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH
    )
    assert place.host().load(COLLECTOR, "dummy").word == "signed"
    assert list(folder.rglob("*.pyc")) == [cached]


def test_a_plugin_changed_since_the_scan_is_refused(place: Place, plugin: Path) -> None:
    place.install(plugin)
    host = place.host()
    folder = installed_folder(NAME, place.root)
    assert folder is not None
    (folder / "words.py").write_text("WORD = 'evil'\n")
    with pytest.raises(BrokenPluginError, match="changed since it was found"):
        host.load(COLLECTOR, "dummy")


def test_a_key_revoked_since_the_scan_is_refused(
    place: Place, plugin: Path, signer: Signer
) -> None:
    place.install(plugin)
    host = place.host()
    signer.trust(revoked=[{"id": signer.key_id, "reason": "lost"}])
    with pytest.raises(BrokenPluginError, match=r"revoked \(lost\)"):
        host.load(COLLECTOR, "dummy")


def test_permissions_wait_for_an_administrator(place: Place, make_plugin: PluginMaker) -> None:
    place.install(make_plugin(permissions={"network": ["http"]}))
    with pytest.raises(BrokenPluginError, match=r"network:http.*plugins approve collectors/dummy"):
        place.host().load(COLLECTOR, "dummy")
    place.approvals[NAME] = frozenset({"network:http"})
    assert place.host().load(COLLECTOR, "dummy")


def test_an_update_that_asks_for_more_waits_again(place: Place, make_plugin: PluginMaker) -> None:
    place.approvals[NAME] = frozenset({"network:http"})
    wants = {"network": ["http", "tcp"]}
    place.install(make_plugin(permissions=wants, version="1.1.0"))
    with pytest.raises(BrokenPluginError, match="asks for network:tcp, which"):
        place.host().load(COLLECTOR, "dummy")


def test_a_process_of_its_own_starts_from_a_private_copy(
    place: Place, plugin: Path, signer: Signer
) -> None:
    signer.trust("community")
    place.install(plugin)
    place.host().load(COLLECTOR, "dummy")
    (copy,) = place.started
    assert not copy.is_relative_to(place.root)
    assert copy.parts[-3:] == ("plugins", "collectors", "dummy")
    (copy / "words.py").write_text("WORD = 'evil'\n")
    place.host().load(COLLECTOR, "dummy")
    assert (copy / "words.py").read_text() == "WORD = 'signed'\n"


def test_nobody_loads_what_was_not_judged(place: Place, plugin: Path) -> None:
    found = scan([plugin.parent.parent]).describe(COLLECTOR, "dummy")
    assert isinstance(found, PluginDescription)
    assert found.manifest is not None
    with pytest.raises(UntrustedError, match="Nobody has judged"):
        place.gate.load(plugin, found.manifest)


def test_an_update_takes_the_place_of_the_version_before(
    place: Place, make_plugin: PluginMaker
) -> None:
    place.install(make_plugin(source="one", version="1.0.0"))
    first = installed_folder(NAME, place.root)
    host = place.host()
    host.load(COLLECTOR, "dummy")
    place.install(make_plugin(source="two", version="1.1.0", code=CODE + "\nNEW = True\n"))
    assert installed_list(place.root) == {NAME: "1.1.0"}
    assert first is not None
    assert first.is_dir(), "a process that has not looked yet still finds its version"
    host.replace_store(scan([place.source], judge=place.gate.judge))
    assert host.manifest(COLLECTOR, "dummy").version == "1.1.0"
    assert sys.modules[type(host.load(COLLECTOR, "dummy")).__module__].NEW


def test_a_removed_plugin_is_gone(place: Place, plugin: Path) -> None:
    place.install(plugin)
    remove(NAME, place.root)
    assert installed_list(place.root) == {}
    assert not list((place.root / ".versions" / "collectors").iterdir())
    with pytest.raises(InstallError, match="is not installed"):
        remove(NAME, place.root)
    for name in ("collectors/../x", "../collectors", "x", "collectors/"):
        assert installed_folder(name, place.root) is None


def test_an_installation_that_is_interrupted_leaves_the_version_before(
    place: Place, make_plugin: PluginMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.install(make_plugin(source="one", version="1.0.0"))

    def fail(*args: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("detectviz.pluginhost.bundles.os.fsync", fail)
        with pytest.raises(InstallError, match="No space left"):
            place.install(make_plugin(source="two", version="1.1.0"))
    assert installed_list(place.root) == {NAME: "1.0.0"}
    assert place.host().load(COLLECTOR, "dummy")


def test_a_link_to_elsewhere_is_no_installed_plugin(place: Place, plugin: Path) -> None:
    place.signer.sign(plugin)
    (place.root / "collectors").mkdir(parents=True)
    (place.root / "collectors" / "dummy").symlink_to(plugin)
    assert installed_folder(NAME, place.root) is None
