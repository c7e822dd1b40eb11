"""Installing, updating and removing plugins: verified, approved, audited, all or nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import transaction

from apps.extensions.selectors import approvals_read, plugin_host
from apps.extensions.services.approvals import plugin_approval_withdraw, plugin_approve
from apps.extensions.services.switches import plugins_changed
from detectviz.contracts.types import PluginKind
from detectviz.events.bus import publish
from detectviz.events.types import SecurityEventOccurred
from detectviz.net.http import SyncHttpClient
from detectviz.pluginhost.dependencies import dependencies_of, dependency_parse
from detectviz.pluginhost.installing import (
    Candidate,
    InstallError,
    bundle_open,
    install,
    installed_list,
    permissions_of,
    remove,
)
from detectviz.pluginhost.manifest import find_missing_requirements
from detectviz.pluginhost.registries import RegistryClient, Release, release_choose
from detectviz.pluginhost.signing import SignatureError
from detectviz.pluginhost.sources import INSTALLED
from detectviz.pluginhost.versions import version_key, wanted_parse
from detectviz.runtime.egress import egress_policy
from detectviz.runtime.plugin_trust import plugin_policy, plugin_registries, plugins_root


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """What was installed; ``former`` is the version it took the place of, empty for none."""

    plugin: str
    version: str
    former: str
    level: str
    key_id: str
    permissions: tuple[str, ...]


class ApprovalNeededError(InstallError):
    """The plugin asks for permissions that nobody has approved yet."""

    def __init__(self, plugin: str, version: str, permissions: list[str]) -> None:
        super().__init__(
            f"{plugin} {version} asks for {', '.join(permissions)}; "
            "to allow that, say it again with --approve."
        )
        self.permissions = permissions


def releases_search(*, text: str = "") -> tuple[Release, ...]:
    """Return what the registries have whose name, title or description holds ``text``.

    Raise SignatureError with a sentence when a registry cannot be asked or believed.
    """
    wanted = text.casefold()
    return tuple(
        release
        for release in _client().releases()
        if wanted in f"{release.plugin} {release.title} {release.description}".casefold()
    )


def plugin_install(
    *,
    source: str,
    sha256: str = "",
    is_approved: bool = False,
    is_downgrade_allowed: bool = False,
    actor_id: int | None = None,
) -> Installation:
    """Install ``kind/name[@version]`` from the registries, or the bundle in a file.

    ``is_approved`` approves the permissions it asks for, ``is_downgrade_allowed`` accepts a
    version older than one that was here. Raise InstallError, SignatureError or ValueError, each
    with a sentence; nothing has changed then. Audited either way.
    """
    try:
        candidate = _candidate(source, sha256, is_downgrade_allowed=is_downgrade_allowed)
        return _install(
            candidate,
            is_approved=is_approved,
            is_downgrade_allowed=is_downgrade_allowed,
            actor_id=actor_id,
        )
    except (SignatureError, ValueError) as error:
        _told("plugin.install", source, actor_id, {"reason": str(error)}, is_success=False)
        raise


def updates_find() -> dict[str, tuple[str, str]]:
    """Return installed plugins with a newer version: the one installed and the new one."""
    releases = _client().releases()
    known = {release.plugin for release in releases}
    found: dict[str, tuple[str, str]] = {}
    for plugin, version in installed_list(plugins_root()).items():
        if plugin in known:
            try:
                newest = release_choose(releases, plugin).version
            except InstallError:
                continue  # nothing that fits this version of Detectviz
            if version_key(newest) > version_key(version):
                found[plugin] = (version, newest)
    return found


def plugin_remove(*, plugin: str, is_forced: bool = False, actor_id: int | None = None) -> None:
    """Remove an installed plugin and its approval; raise InstallError.

    Without ``is_forced`` not one that others need. What versions were seen is not forgotten.
    """
    needing = _needing(plugin)
    if needing and not is_forced:
        raise InstallError(f"{', '.join(needing)} need {plugin}; remove them first, or --force.")
    version = installed_list(plugins_root()).get(plugin, "")
    with transaction.atomic():
        plugin_approval_withdraw(plugin=plugin, actor_id=actor_id)
        _told("plugin.remove", plugin, actor_id, {"version": version, "forced": is_forced})
        plugins_changed()
        remove(plugin, plugins_root())


def _client() -> RegistryClient:
    registries = plugin_registries()
    if not registries:
        raise InstallError("There are no registries; name some in DETECTVIZ_PLUGIN_REGISTRIES.")
    return RegistryClient(registries, plugin_policy(), SyncHttpClient(egress_policy()))


def _candidate(source: str, sha256: str, *, is_downgrade_allowed: bool) -> Candidate:
    policy = plugin_policy()
    if Path(source).is_file():
        data = Path(source).read_bytes()
        return bundle_open(data, policy, sha256=sha256, is_downgrade_allowed=is_downgrade_allowed)
    plugin, version = wanted_parse(source)
    client = _client()
    release = release_choose(client.releases(), plugin, version)
    candidate = bundle_open(
        client.fetch(release),
        policy,
        sha256=release.sha256,
        is_downgrade_allowed=is_downgrade_allowed,
    )
    if (candidate.plugin, candidate.manifest.version) != (release.plugin, release.version):
        raise InstallError(f"{release.file} holds another plugin or version than its index says.")
    return candidate


@transaction.atomic
def _install(
    candidate: Candidate, *, is_approved: bool, is_downgrade_allowed: bool, actor_id: int | None
) -> Installation:
    plugin, manifest = candidate.plugin, candidate.manifest
    _require_place(candidate)
    asked = permissions_of(manifest.permissions)
    missing = sorted(asked - approvals_read().get(plugin, frozenset()))
    if missing and not is_approved:
        raise ApprovalNeededError(plugin, manifest.version, missing)
    if missing:
        plugin_approve(
            plugin=plugin, permissions=asked, version=manifest.version, actor_id=actor_id
        )
    former = installed_list(plugins_root()).get(plugin, "")
    is_downgrade = is_downgrade_allowed and _is_rollback(candidate)
    done = Installation(
        plugin=plugin,
        version=manifest.version,
        former=former,
        level=candidate.decision.level.value,
        key_id=candidate.decision.key_id,
        permissions=tuple(sorted(asked)),
    )
    action = "plugin.downgrade" if is_downgrade else "plugin.update" if former else "plugin.install"
    _told(action, plugin, actor_id, _details(done, candidate))
    plugins_changed()
    install(candidate, plugins_root(), plugin_policy().state, is_downgrade=is_downgrade)
    return done


def _is_rollback(candidate: Candidate) -> bool:
    policy = plugin_policy()
    try:
        policy.state.require_newest(candidate.plugin, candidate.document, policy.revoked)
    except SignatureError:
        return True
    return False


def _require_place(candidate: Candidate) -> None:
    """Raise InstallError where the plugin would not work: taken name, missing needs."""
    manifest, store = candidate.manifest, plugin_host().store
    there = store.find(manifest.kind, manifest.name)
    if there is not None and there.source != INSTALLED:
        raise InstallError(
            f"{candidate.plugin} is already here ({there.source}) and cannot be replaced."
        )
    problems = [problem.message for problem in find_missing_requirements(plugins_root(), manifest)]
    for text in manifest.dependencies:
        needed = dependency_parse(text)
        found = store.find(*needed.key) if needed.key else None
        version = found.manifest.version if found and found.manifest else ""
        if not version or not needed.versions.contains(version, prereleases=True):
            have = f"version {version} is here" if version else "it is not here"
            problems.append(
                f"It needs {text} and {have}; install that first: "
                f"detectviz plugins install {needed.kind}/{needed.name}."
            )
    if problems:
        raise InstallError(f"{candidate.plugin} cannot be installed. {' '.join(problems)}")


def _needing(plugin: str) -> list[str]:
    kind, _, name = plugin.partition("/")
    if kind not in set(PluginKind):
        return []
    key = (PluginKind(kind), name)
    return [
        f"{each.kind.value}/{each.name}"
        for each in plugin_host().store.list()
        if any(needed.key == key for needed in dependencies_of(each))
    ]


def _details(done: Installation, candidate: Candidate) -> dict[str, Any]:
    return {
        "version": done.version,
        "former": done.former,
        "level": done.level,
        "key_id": done.key_id,
        "digest": candidate.document.digest,
        "permissions": list(done.permissions),
    }


def _told(
    action: str,
    plugin: str,
    actor_id: int | None,
    details: Mapping[str, Any],
    *,
    is_success: bool = True,
) -> None:
    publish(
        SecurityEventOccurred(
            action=action,
            org_id=None,
            actor_id=actor_id,
            kind="Plugin",
            name=plugin[-200:],
            details={"plugin": plugin, **details},
            is_success=is_success,
        )
    )
