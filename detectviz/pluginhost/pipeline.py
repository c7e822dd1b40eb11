"""The load pipeline up to the store: discovery, bootstrap, validation. No plugin code runs here.

Initialisation (the first call) and termination are the host's: ``detectviz.pluginhost.host``.
"""

import hashlib
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from detectviz.contracts.types import PluginKind
from detectviz.pluginhost.dependencies import dependencies_resolve
from detectviz.pluginhost.description import (
    PluginDescription,
    PluginKey,
    TrustLevel,
    shown,
)
from detectviz.pluginhost.errors import PluginProblem
from detectviz.pluginhost.inclusion import include_choices
from detectviz.pluginhost.manifest import (
    MANIFEST_FILE,
    find_missing_requirements,
    folder_name,
    read_manifest,
)
from detectviz.pluginhost.sources import FolderSource, Found, Source
from detectviz.pluginhost.store import Store

CHILDREN: Final = "children"
_DEEPEST_CHILD: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is thought of a plugin's origin: whether it may be loaded, and where it must run."""

    level: TrustLevel
    is_allowed: bool
    reason: str = ""
    is_isolated: bool = False


Judge = Callable[[PluginDescription], Verdict]


def trust_everything(plugin: PluginDescription) -> Verdict:
    """Judge nothing: what a host without a trust policy does."""
    level: TrustLevel = plugin.manifest.category if plugin.manifest else "custom"
    return Verdict(level=level, is_allowed=True)


def scan(
    sources: Sequence[Path | Source],
    *,
    off: Collection[str] = (),
    judge: Judge = trust_everything,
    adjust: Callable[[PluginDescription], PluginDescription] = lambda plugin: plugin,
) -> Store:
    """Return the store of every plugin that ``sources`` have; a path is laid out as kind/name.

    Those named in ``off`` (``collectors/system``) are there and cannot be used. Reads manifests
    and no code. ``adjust`` has the last word on a description. Of two plugins with one name the
    first source wins and the second is a problem of the store, as are sources that do not exist
    and folders of unknown kinds.
    """
    problems: list[PluginProblem] = []
    plugins = _discover(sources, problems)
    judged = {
        key: adjust(_switched(_judged(plugin, plugins, judge), off))
        for key, plugin in plugins.items()
    }
    resolved, order = dependencies_resolve(judged)
    aliases = _aliases(resolved, problems)
    return Store(
        include_choices(resolved.values()),
        tuple(problems),
        aliases=aliases,
        order=tuple(order),
    )


def _discover(
    sources: Sequence[Path | Source], problems: list[PluginProblem]
) -> dict[PluginKey, PluginDescription]:
    plugins: dict[PluginKey, PluginDescription] = {}
    for source in sources:
        place = FolderSource(folder=source) if isinstance(source, Path) else source
        for found in place.find(problems):
            for plugin in _bootstrap(found, None, 0):
                earlier = plugins.setdefault(plugin.key, plugin)
                if earlier is not plugin:
                    message = f"{shown(plugin.key)} is already taken by {earlier.folder}."
                    problems.append(PluginProblem(path=plugin.folder, field="", message=message))
    return plugins


def _bootstrap(found: Found, parent: PluginKey | None, depth: int) -> Iterator[PluginDescription]:
    """Describe the plugin in a folder, then those it brings along."""
    manifest, problems = read_manifest(found.folder, found.kind, has_own_name=found.has_own_name)
    if manifest is not None:
        problems = find_missing_requirements(found.folder, manifest)
    plugin = PluginDescription(
        kind=found.kind,
        name=manifest.name if manifest else found.folder.name.replace("_", "-"),
        status="broken" if problems else "available",
        folder=found.folder,
        manifest=manifest,
        problems=problems,
        source=found.source,
        parent=parent,
        fingerprint=fingerprint(found.folder),
    )
    children = manifest.children if manifest else ()
    missing: list[PluginProblem] = []
    described: list[PluginDescription] = []
    for index, child in enumerate(children):
        folder = _child_folder(found.folder, child)
        if folder is None or depth >= _DEEPEST_CHILD:
            message = f"There is no folder {CHILDREN}/{child} with a plugin of a known kind."
            place = found.folder / MANIFEST_FILE
            missing.append(PluginProblem(path=place, field=f"/children/{index}", message=message))
        else:
            kind = PluginKind(child.partition("/")[0])
            inner = Found(folder=folder, kind=kind, source=found.source)
            described += _bootstrap(inner, plugin.key, depth + 1)
    if missing:
        plugin = replace(plugin, status="broken", problems=(*plugin.problems, *missing))
    yield plugin
    yield from described


def _child_folder(folder: Path, child: str) -> Path | None:
    kind, _, name = child.partition("/")
    place = folder / CHILDREN / kind / folder_name(name)
    return place if kind in set(PluginKind) and place.is_dir() else None


def fingerprint(folder: Path) -> str:
    """Return a text that changes when a file of the folder is added, removed or written."""
    digest = hashlib.blake2b(digest_size=16)
    for path in sorted(folder.rglob("*")):
        if "__pycache__" in path.parts or not path.is_file():
            continue
        status = path.stat()
        line = f"{path}\0{status.st_size}\0{status.st_mtime_ns}\0{status.st_ino}\n"
        digest.update(line.encode())
    return digest.hexdigest()


def _judged(
    plugin: PluginDescription, plugins: dict[PluginKey, PluginDescription], judge: Judge
) -> PluginDescription:
    """Ask for the verdict; that on a child is the one on what brought it."""
    judged = plugin
    while judged.parent is not None:
        judged = plugins[judged.parent]
    if judged.manifest is None:
        return plugin
    verdict = judge(judged)
    plugin = replace(plugin, trust=verdict.level, is_isolated=verdict.is_isolated)
    if verdict.is_allowed:
        return plugin
    problem = PluginProblem(path=plugin.folder, field="", message=verdict.reason)
    return replace(plugin, status="broken", problems=(*plugin.problems, problem))


def _switched(plugin: PluginDescription, off: Collection[str]) -> PluginDescription:
    if shown(plugin.key) not in off or plugin.status == "broken":
        return plugin
    message = "It is switched off on this installation (DETECTVIZ_PLUGINS_OFF, or its composition)."
    problem = PluginProblem(path=plugin.folder / MANIFEST_FILE, field="", message=message)
    return replace(plugin, status="disabled", problems=(*plugin.problems, problem))


def _aliases(
    plugins: dict[PluginKey, PluginDescription], problems: list[PluginProblem]
) -> dict[PluginKey, PluginKey]:
    found: dict[PluginKey, PluginKey] = {}
    for plugin in plugins.values():
        for alias in plugin.manifest.aliases if plugin.manifest else ():
            key = (plugin.kind, alias)
            taken = key if key in plugins else found.get(key)
            if taken is None:
                found[key] = plugin.key
            else:
                message = f"The alias {alias} is already taken by {shown(taken)}."
                problems.append(PluginProblem(path=plugin.folder, field="", message=message))
    return found
