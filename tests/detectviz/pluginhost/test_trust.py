"""Who may sign what, for how long, and what is never accepted again."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from detectviz.clock import utc_now
from detectviz.contracts.types import PluginKind
from detectviz.pluginhost.installing import bundle_open, install
from detectviz.pluginhost.manifest import read_manifest
from detectviz.pluginhost.signing import SIGNATURE_FILE, SignatureError
from detectviz.pluginhost.trust import TrustDecision, TrustPolicy, trust_again, trust_decide
from detectviz.pluginhost.truststate import RollbackError
from detectviz.pluginhost.truststores import TrustLevel, trust_files_read
from detectviz.pluginhost.versions import version_key, wanted_parse
from tests.detectviz.pluginhost.conftest import PluginMaker, Signer

NAME = "collectors/dummy"


def _decide(plugin: Path, policy: TrustPolicy) -> TrustDecision:
    manifest, problems = read_manifest(plugin, PluginKind.COLLECTOR)
    assert manifest is not None, problems
    return trust_decide(plugin, manifest, policy)


def _accept(bundle: bytes, signer: Signer) -> None:
    policy = signer.policy()
    install(bundle_open(bundle, policy), signer.folder / "installed", policy.state)


def test_looking_at_a_bundle_remembers_nothing(make_plugin: PluginMaker, signer: Signer) -> None:
    bundle_open(signer.sign(make_plugin(source="new", version="2.0.0")), signer.policy())
    bundle_open(signer.sign(make_plugin(source="old", version="1.0.0")), signer.policy())


def test_what_came_with_the_installation_is_core(make_plugin: PluginMaker, signer: Signer) -> None:
    plugin = make_plugin()
    decision = _decide(plugin, signer.policy(core_folders=(plugin.parent.parent,)))
    assert (decision.level, decision.is_allowed, decision.is_isolated) == ("core", True, False)


def test_a_name_that_begins_like_the_core_folder_is_not_core(
    make_plugin: PluginMaker, signer: Signer, tmp_path: Path
) -> None:
    plugin = make_plugin(source="plugins-evil")
    decision = _decide(plugin, signer.policy(core_folders=(tmp_path / "plugins",)))
    assert not decision.is_allowed


def test_an_installed_version_below_the_core_folder_is_not_core(
    make_plugin: PluginMaker, signer: Signer, tmp_path: Path
) -> None:
    plugin = make_plugin(source="plugins/.versions")
    decision = _decide(plugin, signer.policy(core_folders=(tmp_path / "plugins",)))
    assert not decision.is_allowed


@pytest.mark.parametrize(
    ("level", "is_isolated"),
    [("core", False), ("verified", False), ("community", True), ("custom", True)],
)
def test_the_store_says_the_level_and_the_level_where_it_runs(
    make_plugin: PluginMaker, signer: Signer, level: str, is_isolated: bool
) -> None:
    plugin = make_plugin()
    signer.sign(plugin)
    signer.trust(level)
    decision = _decide(plugin, signer.policy())
    assert decision.is_allowed, decision.reason
    assert (decision.level, decision.is_isolated) == (level, is_isolated)


def test_an_unsigned_plugin_is_refused_unless_it_is_named(
    make_plugin: PluginMaker, signer: Signer
) -> None:
    plugin = make_plugin()
    assert "DETECTVIZ_PLUGINS_UNSIGNED" in _decide(plugin, signer.policy()).reason
    assert not _decide(plugin, signer.policy(unsigned=frozenset({"collectors/dumm"}))).is_allowed
    allowed = _decide(plugin, signer.policy(unsigned=frozenset({NAME})))
    assert (allowed.is_allowed, allowed.level, allowed.is_isolated) == (True, "custom", True)
    folder = signer.policy(unsigned_folders=(plugin.parent.parent,))
    assert _decide(plugin, folder).is_allowed
    signer.rules(unsigned=[NAME])
    assert _decide(plugin, signer.policy()).is_allowed
    signer.rules(rules=[{"pattern": "collectors/*", "signature": "optional"}])
    assert _decide(plugin, signer.policy()).is_allowed


def test_a_signature_cannot_be_stripped(make_plugin: PluginMaker, signer: Signer) -> None:
    plugin = make_plugin()
    signer.sign(plugin)
    opened = signer.policy(unsigned_folders=(plugin.parent.parent,))
    assert _decide(plugin, opened).level is TrustLevel.VERIFIED
    (plugin / SIGNATURE_FILE).unlink()
    assert "was signed before" in _decide(plugin, opened).reason
    assert _decide(plugin, replace(opened, unsigned=frozenset({NAME}))).is_allowed


def test_a_bad_signature_is_no_better_for_being_allowed_to_have_none(
    make_plugin: PluginMaker, signer: Signer
) -> None:
    plugin = make_plugin()
    signer.sign(plugin)
    (plugin / "dummy.py").write_text("evil = 1\n")
    named = signer.policy(unsigned=frozenset({NAME}))
    assert "was changed after it was signed" in _decide(plugin, named).reason


@pytest.mark.parametrize(
    ("prepare", "reason"),
    [
        (lambda signer: signer.trust(keys=[]), "No trust store vouches"),
        (lambda signer: (signer.folder / "trust" / "store.yaml").unlink(), "No trust store"),
        (
            lambda signer: signer.trust(
                "core", "other", keys=[], revoked=[{"id": signer.key_id, "reason": "stolen"}]
            ),
            r"was revoked \(stolen\)",
        ),
        (lambda signer: signer.rules(rules=[{"pattern": "*", "level": "core"}]), "demand core"),
        (lambda signer: signer.rules(rules=[{"pattern": "*", "lvl": "core"}]), "'lvl'"),
        (lambda signer: (signer.folder / "trust" / "z.yaml").write_text("["), "z.yaml"),
        (lambda signer: signer.trust("king"), "king"),
    ],
    ids=["no-key", "no-store", "revoked", "level", "bad-rules", "bad-yaml", "bad-level"],
)
def test_the_trust_files_decide(
    make_plugin: PluginMaker,
    signer: Signer,
    prepare: Callable[[Signer], object],
    reason: str,
) -> None:
    plugin = make_plugin()
    bundle = signer.sign(plugin)
    prepare(signer)
    with pytest.raises(SignatureError, match=reason):
        bundle_open(bundle, signer.policy())
    assert not _decide(plugin, signer.policy()).is_allowed


def test_a_key_counts_for_the_plugins_it_is_limited_to(
    make_plugin: PluginMaker, signer: Signer, tmp_path: Path
) -> None:
    plugin = make_plugin()
    signer.sign(plugin)
    path = tmp_path / "trust" / "store.yaml"
    path.write_text(
        path.read_text().replace("registries:", "plugins: [notifiers/x]\n  registries:")
    )
    assert "No trust store vouches" in _decide(plugin, signer.policy()).reason


def test_the_first_rule_that_matches_counts(make_plugin: PluginMaker, signer: Signer) -> None:
    plugin = make_plugin()
    signer.sign(plugin)
    signer.rules(
        rules=[
            {"pattern": "collectors/d*", "isolated": True},
            {"pattern": "*", "level": "core"},
        ]
    )
    decision = _decide(plugin, signer.policy())
    assert (decision.is_allowed, decision.is_isolated) == (True, True)


def test_an_expired_signature_and_one_of_the_future_are_refused(
    make_plugin: PluginMaker, signer: Signer
) -> None:
    plugin = make_plugin()
    bundle = signer.sign(plugin, days=1, issued_at=utc_now() - timedelta(days=2))
    with pytest.raises(SignatureError, match="expired"):
        bundle_open(bundle, signer.policy())
    assert "expired" in _decide(plugin, signer.policy()).reason
    future = signer.sign(plugin, issued_at=utc_now() + timedelta(hours=1))
    with pytest.raises(SignatureError, match="of the future"):
        bundle_open(future, signer.policy())


def test_an_older_version_is_refused_also_after_a_restart(
    make_plugin: PluginMaker, signer: Signer
) -> None:
    old = make_plugin(source="old", version="1.9.0")
    old_bundle = signer.sign(old)
    new = make_plugin(source="new", version="1.10.0")
    _accept(signer.sign(new), signer)
    for policy in (signer.policy(), signer.policy()):
        with pytest.raises(RollbackError, match=r"1\.10\.0 of collectors/dummy was here before"):
            bundle_open(old_bundle, policy)
        assert "older" in _decide(old, policy).reason
        assert _decide(new, policy).is_allowed
    assert bundle_open(old_bundle, signer.policy(), is_downgrade_allowed=True).plugin == NAME
    with pytest.raises(RollbackError):
        bundle_open(old_bundle, signer.policy())


def test_a_version_signed_again_replaces_the_earlier_signature(
    make_plugin: PluginMaker, signer: Signer
) -> None:
    plugin = make_plugin()
    earlier = signer.sign(plugin, issued_at=utc_now() - timedelta(days=2))
    (plugin / "dummy.py").write_text((plugin / "dummy.py").read_text() + "# mended\n")
    _accept(signer.sign(plugin), signer)
    with pytest.raises(RollbackError, match="signed again since"):
        bundle_open(earlier, signer.policy())


def test_what_a_revoked_key_signed_blocks_nobody(
    make_plugin: PluginMaker, signer: Signer, tmp_path: Path
) -> None:
    thief = Signer(tmp_path)
    thief.trust(name="thief")
    _accept(thief.sign(make_plugin(source="x", version="999.0.0")), signer)
    next_release = signer.sign(make_plugin(source="y", version="1.0.1"))
    with pytest.raises(RollbackError):
        bundle_open(next_release, signer.policy())
    thief.trust(name="thief", revoked=[{"id": thief.key_id}])
    assert bundle_open(next_release, signer.policy()).manifest.version == "1.0.1"


def test_a_damaged_memory_refuses_instead_of_forgetting(
    make_plugin: PluginMaker, signer: Signer
) -> None:
    plugin = make_plugin()
    signer.sign(plugin)
    policy = signer.policy()
    policy.state.path.parent.mkdir()
    policy.state.path.write_text("{}")
    assert "cannot be read" in _decide(plugin, policy).reason


def test_files_that_change_after_the_decision_are_refused_even_when_signed(
    make_plugin: PluginMaker, signer: Signer
) -> None:
    plugin = make_plugin()
    signer.sign(plugin)
    manifest, _ = read_manifest(plugin, PluginKind.COLLECTOR)
    assert manifest is not None
    earlier = trust_decide(plugin, manifest, signer.policy())
    assert trust_again(plugin, manifest, earlier, signer.policy()).is_allowed
    (plugin / "dummy.py").write_text("other = 1\n")
    signer.sign(plugin)
    again = trust_again(plugin, manifest, earlier, signer.policy())
    assert "changed since it was found" in again.reason


def test_a_refusal_stays_one(make_plugin: PluginMaker, signer: Signer) -> None:
    plugin = make_plugin()
    manifest, _ = read_manifest(plugin, PluginKind.COLLECTOR)
    assert manifest is not None
    refused = trust_decide(plugin, manifest, signer.policy())
    signer.sign(plugin)
    assert not trust_again(plugin, manifest, refused, signer.policy()).is_allowed


def test_a_key_that_is_not_the_one_its_store_names_spoils_the_store(
    signer: Signer, tmp_path: Path
) -> None:
    path = tmp_path / "trust" / "store.yaml"
    path.write_text(
        path.read_text().replace("- public_key", "- id: " + "0" * 32 + "\n  public_key")
    )
    assert "copy both from its owner again" in trust_files_read(tmp_path / "trust").problem


def test_processes_remember_together(make_plugin: PluginMaker, signer: Signer) -> None:
    second = signer.policy()
    _accept(signer.sign(make_plugin(source="a", version="2.0.0")), signer)
    with pytest.raises(RollbackError):
        bundle_open(signer.sign(make_plugin(source="b", version="1.0.0")), second)


@pytest.mark.parametrize(
    "ordered",
    [
        ["1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2"],
        ["1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.1", "1.9.0", "1.10.0"],
    ],
)
def test_versions_are_ordered_as_semver_says(ordered: list[str]) -> None:
    keys = [version_key(each) for each in ordered]
    assert all(older < newer for older, newer in pairwise(keys))


@pytest.mark.parametrize("text", ["1.0", "01.0.0", "1.0.0 ", "v1.0.0", "\uff11.0.0", "1" * 65, ""])
def test_what_is_no_version_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="no version"):
        version_key(text)


def test_a_wish_is_a_name_and_perhaps_a_version() -> None:
    assert wanted_parse("collectors/http@1.0.0") == ("collectors/http", "1.0.0")
    assert wanted_parse("collectors/http") == ("collectors/http", "")
    for text in ("http", "collectors/", "collectors/http@new"):
        with pytest.raises(ValueError, match=r"Write kind/name|no version"):
            wanted_parse(text)
