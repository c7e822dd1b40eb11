"""What plugins there are, and which of them may be used; one host per process."""

import asyncio
import logging
import os
import threading
from collections import defaultdict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection, models
from django.db.models import Sum
from django.urls import reverse

from apps.extensions.models import OrgPlugin, PluginApproval, PluginStamp, PluginSwitch, PluginUse
from detectviz.composition.adjusting import plugin_adjusted
from detectviz.contracts.manifest import Manifest
from detectviz.contracts.types import JsonObject, PluginKind
from detectviz.pluginhost.assets import Assets, AssetShelf
from detectviz.pluginhost.client import PluginClient
from detectviz.pluginhost.description import PluginDescription, PluginKey
from detectviz.pluginhost.errors import NotRegisteredError
from detectviz.pluginhost.gate import TrustGate
from detectviz.pluginhost.guarded import guarded_loader
from detectviz.pluginhost.host import HostOptions, PluginHost
from detectviz.pluginhost.permissions import granted_as_declared
from detectviz.pluginhost.pipeline import scan
from detectviz.pluginhost.policy import Policy, PolicyHolder
from detectviz.pluginhost.sandbox.limits import SandboxPolicy
from detectviz.pluginhost.sandbox.proxy import isolated_loader
from detectviz.pluginhost.sources import INSTALLED, EntryPointSource, FolderSource, Source
from detectviz.pluginhost.store import Store
from detectviz.runtime.plugin_trust import copies_root, is_core, plugin_policy, plugins_root
from detectviz.tenancy.context import all_orgs_scope

logger = logging.getLogger(__name__)
_KINDS = frozenset(kind.value for kind in PluginKind)
_lock = threading.RLock()
_hosts: list[tuple[int, PluginHost]] = []  # with the process that made it
_holder = PolicyHolder()
_shelf = AssetShelf()


def approvals_read() -> dict[str, frozenset[str]]:
    """Return what administrators allowed each plugin, by kind/name."""
    rows = PluginApproval.objects.values_list("kind", "name", "permissions")
    return {f"{kind}/{name}": frozenset(allowed) for kind, name, allowed in rows}


def _approvals_of() -> dict[str, frozenset[str]]:
    """Read the approvals, also from an event loop; what cannot be read allows nothing."""
    try:
        if not _is_in_loop():
            return approvals_read()
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(_approvals_read_apart).result()
    except DatabaseError as error:
        logger.warning("plugins: the approvals could not be read: %s", error)
        return {}


def _approvals_read_apart() -> dict[str, frozenset[str]]:
    try:
        return approvals_read()
    finally:
        connection.close()


gate = TrustGate(plugin_policy, _approvals_of, copies=copies_root)


# --- the process's host ----------------------------------------------------------------------


def plugin_host() -> PluginHost:
    """Return the process's one plugin host; a process that was forked has one of its own."""
    with _lock:
        if _hosts and _hosts[0][0] != os.getpid():
            _hosts.clear()
            _holder.forget()
        if not _hosts:
            _hosts.append((os.getpid(), PluginHost(plugins_scan(), host_options())))
        return _hosts[0][1]


def host_options() -> HostOptions:
    """Return what the process's host asks: the policy of the moment."""
    sandbox = isolated_loader(
        SandboxPolicy(
            confinement="degrade" if settings.PLUGIN_SANDBOX == "degrade" else "require",
            hidden=(Path(settings.DATA_DIR),),
        )
    )
    # A plugin runs only when all it declares is approved, so that this is what it is granted.
    return HostOptions(
        is_enabled=_holder.is_enabled,
        settings_of=_holder.settings_of,
        loader=guarded_loader(gate.load, granted_as_declared, is_exempt=is_core),
        isolated_loader=guarded_loader(gate.guard(sandbox), granted_as_declared, is_exempt=is_core),
    )


def plugins_scan() -> Store:
    """Look for plugins now: built-in ones, ``DETECTVIZ_PLUGIN_DIRS``, installed bundles, packages.

    The first of one name wins, so that nothing installed takes the place of what is built in.
    """
    sources: list[Source] = [
        FolderSource(folder=settings.BASE_DIR / "plugins", source="built-in"),
        *(FolderSource(folder=folder) for folder in settings.PLUGIN_DIRS),
        FolderSource(folder=plugins_root(), source=INSTALLED, is_optional=True),
        EntryPointSource(),
    ]
    return scan(sources, off=settings.PLUGINS_OFF, judge=gate.judge, adjust=_adjusted)


def _adjusted(plugin: PluginDescription) -> PluginDescription:
    return plugin_adjusted(plugin, settings.DEPLOYMENT)


def plugin_host_use(host: PluginHost | None) -> None:
    """Put ``host`` in the place of the process's own; None has the next call make a new one."""
    with _lock:
        _hosts[:] = [] if host is None else [(os.getpid(), host)]


def plugin_client() -> PluginClient:
    """Return the way of this process's calls to plugins.

    The first call reads the policy, unless it comes from an event loop, which may not wait.
    """
    if not _holder.is_loaded and not _is_in_loop():
        _holder.use(policy_read())
    return plugin_host().client


def _is_in_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


# --- plugins -----------------------------------------------------------------------------------


def plugin_list(kind: PluginKind | None = None) -> tuple[PluginDescription, ...]:
    """Return every plugin, broken ones too, by kind and name."""
    return plugin_host().list(kind)


def plugin_choices(kind: PluginKind, org: models.Model) -> tuple[PluginDescription, ...]:
    """Return the plugins of a kind that an org can use now, by name."""
    name = str(getattr(org, "name", ""))
    return tuple(
        plugin for plugin in plugin_list(kind) if plugin.is_usable and is_enabled(plugin, name)
    )


def plugin_get(kind: str, name: str) -> PluginDescription | None:
    """Return one plugin by what stands in an address, None for what there is not."""
    if kind not in _KINDS:
        return None
    try:
        return plugin_host().describe(PluginKind(kind), name)
    except NotRegisteredError:
        return None


def plugin_manifest(kind: PluginKind, name: str) -> Manifest:
    """Return the manifest of a usable plugin; raise NotRegisteredError or UnavailableError."""
    return plugin_host().manifest(kind, name)


def is_enabled(plugin: PluginDescription, org: str | None) -> bool:
    """Say whether neither deployment nor org (its name) switched off the plugin or its parent."""
    family = plugin_host().store.family(plugin.key)
    return all(_holder.is_enabled(key, org) for key in family)


# --- what SQL says -------------------------------------------------------------------------------


def policy_holder() -> PolicyHolder:
    """Return what this process goes by."""
    return _holder


def stamp_get() -> tuple[int, int]:
    """Return the numbers that tell whether switches or folders changed; one cheap query."""
    found = PluginStamp.objects.filter(pk=1).values_list("policy", "folders").first()
    return found or (0, 0)


def policy_read() -> Policy:
    """Read which plugins are off now. The stamp is read first: it may be too old, never too new."""
    version, folders = stamp_get()
    switches = list(PluginSwitch.objects.filter(kind__in=_KINDS))
    org_off: dict[str, set[PluginKey]] = defaultdict(set)
    with all_orgs_scope(reason="the policy is the process's, for all orgs"):
        rows = OrgPlugin.objects.across_orgs(reason="the policy is the process's, for all orgs")
        off = rows.filter(is_enabled=False, kind__in=_KINDS)
        for org, kind, name in off.values_list("org__name", "kind", "name"):
            org_off[org].add((PluginKind(kind), name))
    return Policy(
        version=version,
        folders=folders,
        off=frozenset(_key(each) for each in switches if not each.is_enabled),
        org_off={org: frozenset(keys) for org, keys in org_off.items()},
        settings={_key(each): each.settings for each in switches if each.settings},
    )


def _key(row: PluginSwitch) -> PluginKey:
    return PluginKind(row.kind), row.name


def org_plugin_get(org: models.Model, key: PluginKey) -> OrgPlugin | None:
    """Return an org's row on a plugin."""
    found: OrgPlugin | None = (
        OrgPlugin.objects.for_org(org).filter(kind=key[0].value, name=key[1]).first()
    )
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginSettings:
    """What an org set for a plugin, defaults filled when it was written; secrets are decrypted."""

    config: JsonObject = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)


def plugin_settings(org: models.Model, kind: PluginKind, name: str) -> PluginSettings:
    """Return an org's settings of a plugin: what its calls for this org are given."""
    row = org_plugin_get(org, (kind, name))
    if row is None:
        return PluginSettings()
    return PluginSettings(config=row.config, secrets=dict(row.secrets))


def plugin_approval_get(key: PluginKey) -> PluginApproval | None:
    """Return what administrators allowed a plugin."""
    return PluginApproval.objects.filter(kind=key[0].value, name=key[1]).first()


# --- assets and use ------------------------------------------------------------------------------


def plugin_icon_path(kind: str, name: str) -> Path | None:
    """Return where a plugin's icon lies, None for unknown plugins and those without one."""
    plugin = plugin_get(kind, name)
    if plugin is None:
        return None
    places = (plugin.folder / "static" / "icon.svg", plugin.folder / "icon.svg")
    inside = plugin.folder.resolve()
    return next(
        (each for each in places if each.is_file() and each.resolve().is_relative_to(inside)), None
    )


def plugin_assets(kind: str, name: str) -> Assets | None:
    """Return what a usable plugin shows in browsers; None for those switched off or not there."""
    plugin = plugin_get(kind, name)
    if plugin is None or not plugin.is_usable or not is_enabled(plugin, None):
        return None
    return _shelf.of(plugin)


def plugin_asset_path(kind: PluginKind, name: str, file: str) -> str | None:
    """Return the path (below the root) under which browsers may keep a plugin's file for ever."""
    assets = plugin_assets(kind.value, name)
    if assets is None or assets.find(file) is None:
        return None
    return reverse("extensions:plugin-asset", args=[kind.value, name, assets.digest, file])


def plugin_use(since: date) -> dict[PluginKey, dict[str, Any]]:
    """Return calls per plugin since a day, over all processes and orgs."""
    rows = PluginUse.objects.filter(day__gte=since, kind__in=_KINDS).values("kind", "name")
    summed = rows.annotate(
        calls=Sum("executions"), bad=Sum("failed"), raised=Sum("errors"), took=Sum("seconds")
    ).order_by()
    return {
        (PluginKind(row["kind"]), row["name"]): {
            "executions": row["calls"],
            "failed": row["bad"],
            "errors": row["raised"],
            "seconds": row["took"],
        }
        for row in summed
    }


def plugin_use_days(key: PluginKey, since: date) -> list[PluginUse]:
    """Return the calls of one plugin by day since a day, the latest first."""
    rows = PluginUse.objects.filter(kind=key[0].value, name=key[1], day__gte=since)
    return list(rows.order_by("-day"))
