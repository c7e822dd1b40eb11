"""The catalogue: what plugins there are, and their instances once used."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from threading import RLock
from typing import Literal, overload

from detectviz.contracts.collector import Collector
from detectviz.contracts.datasource import Datasource
from detectviz.contracts.discovery import Discovery
from detectviz.contracts.manifest import Manifest
from detectviz.contracts.notifier import Notifier
from detectviz.contracts.types import PluginKind
from detectviz.pluginhost.description import PluginDescription
from detectviz.pluginhost.errors import BrokenPluginError, NotRegisteredError, PluginProblem
from detectviz.pluginhost.inclusion import include_choices
from detectviz.pluginhost.kinds import KINDS
from detectviz.pluginhost.loading import load_capability
from detectviz.pluginhost.manifest import (
    MANIFEST_FILE,
    find_missing_requirements,
    read_manifest,
)


class Catalogue:
    """All plugins found by one scan; frozen, apart from what has been loaded since."""

    def __init__(
        self, plugins: Iterable[PluginDescription], problems: tuple[PluginProblem, ...] = ()
    ) -> None:
        self._plugins = {(plugin.kind, plugin.name): plugin for plugin in plugins}
        self._instances: dict[tuple[PluginKind, str], object] = {}
        self._lock = RLock()
        self.problems = problems

    def list(self, kind: PluginKind | None = None) -> tuple[PluginDescription, ...]:
        """Return every plugin, broken ones too, by kind and name."""
        with self._lock:
            chosen = [key for key in self._plugins if kind is None or key[0] is kind]
            return tuple(self._plugins[key] for key in sorted(chosen))

    def describe(self, kind: PluginKind, name: str) -> PluginDescription:
        """Return one plugin, broken or not; raise NotRegisteredError."""
        with self._lock:
            plugin = self._plugins.get((kind, name))
        if plugin is None:
            known = ", ".join(each.name for each in self.list(kind)) or "none"
            raise NotRegisteredError(
                f"There is no plugin {name!r} among the {kind.value}; use one of: {known}.",
                kind=kind,
                name=name,
            )
        return plugin

    def manifest(self, kind: PluginKind, name: str) -> Manifest:
        """Return the manifest of a plugin that can be used.

        Raise NotRegisteredError or BrokenPluginError.
        """
        plugin = self.describe(kind, name)
        if plugin.manifest is None or plugin.status == "broken":
            raise BrokenPluginError(
                f"The plugin {kind.value}/{name} is broken: "
                f"{'; '.join(problem.sentence for problem in plugin.problems)}",
                kind=kind,
                name=name,
                problems=plugin.problems,
            )
        return plugin.manifest

    @overload
    def load(self, kind: Literal[PluginKind.COLLECTOR], name: str) -> Collector: ...
    @overload
    def load(self, kind: Literal[PluginKind.DATASOURCE], name: str) -> Datasource: ...
    @overload
    def load(self, kind: Literal[PluginKind.DISCOVERY], name: str) -> Discovery: ...
    @overload
    def load(self, kind: Literal[PluginKind.NOTIFIER], name: str) -> Notifier: ...
    @overload
    def load(self, kind: PluginKind, name: str) -> object: ...
    def load(self, kind: PluginKind, name: str) -> object:
        """Return the plugin's one instance, importing it the first time; thread-safe.

        Raise NotRegisteredError or BrokenPluginError. A plugin that fails to import stays broken
        until the process ends.
        """
        instance = self._instances.get((kind, name))
        if instance is not None:
            return instance
        with self._lock:
            instance = self._instances.get((kind, name))
            return self._load(kind, name) if instance is None else instance

    def _load(self, kind: PluginKind, name: str) -> object:
        manifest = self.manifest(kind, name)
        plugin = self._plugins[kind, name]
        try:
            instance = load_capability(plugin.folder, manifest)
            if not callable(getattr(instance, KINDS[kind].verb, None)):
                raise TypeError(f"{manifest.capability} has no method {KINDS[kind].verb}.")  # noqa: TRY301 - a missing verb is one more way to be broken
        except Exception as error:
            problem = PluginProblem(
                path=plugin.folder / MANIFEST_FILE,
                field="/capability",
                message=f"{type(error).__name__}: {error}",
            )
            self._plugins[kind, name] = replace(plugin, status="broken", problems=(problem,))
            self.manifest(kind, name)
            raise
        self._plugins[kind, name] = replace(plugin, status="loaded")
        self._instances[kind, name] = instance
        return instance


def scan(sources: Sequence[Path], *, off: Collection[str] = ()) -> Catalogue:
    """Return the catalogue of every plugin below ``sources``, each laid out as kind/name.

    Those named in ``off`` (``collectors/system``) are there and cannot be used.

    Reads manifests and no code. Of two plugins with one name the first source wins and the second
    is a problem of the catalogue, as are sources that do not exist and folders of unknown kinds.
    """
    plugins: dict[tuple[PluginKind, str], PluginDescription] = {}
    problems: list[PluginProblem] = []
    for source in sources:
        for plugin in _scan_source(source.resolve(), problems):
            earlier = plugins.setdefault((plugin.kind, plugin.name), plugin)
            if earlier is not plugin:
                message = f"{plugin.kind.value}/{plugin.name} is already taken by {earlier.folder}."
                problems.append(PluginProblem(path=plugin.folder, field="", message=message))
    checked = [_with_dependencies(plugin, plugins) for plugin in plugins.values()]
    checked = include_choices([_switched(plugin, off) for plugin in checked])
    return Catalogue(checked, tuple(problems))


def _scan_source(source: Path, problems: list[PluginProblem]) -> Iterator[PluginDescription]:
    if not source.is_dir():
        message = "There is no such plugin folder; create it or take it out of the settings."
        problems.append(PluginProblem(path=source, field="", message=message))
        return
    for kind_folder in _folders(source):
        if kind_folder.name not in set(PluginKind):
            known = ", ".join(kind.value for kind in PluginKind)
            message = f"{kind_folder.name} is no kind of plugin; the kinds are {known}."
            problems.append(PluginProblem(path=kind_folder, field="", message=message))
            continue
        for folder in _folders(kind_folder):
            yield _describe(folder, PluginKind(kind_folder.name))


def _folders(parent: Path) -> list[Path]:
    return sorted(
        entry for entry in parent.iterdir() if entry.is_dir() and entry.name[0] not in "._"
    )


def _describe(folder: Path, kind: PluginKind) -> PluginDescription:
    manifest, problems = read_manifest(folder, kind)
    if manifest is not None:
        problems = find_missing_requirements(folder, manifest)
    return PluginDescription(
        kind=kind,
        name=manifest.name if manifest else folder.name.replace("_", "-"),
        status="broken" if problems else "available",
        folder=folder,
        manifest=manifest,
        problems=problems,
    )


def _switched(plugin: PluginDescription, off: Collection[str]) -> PluginDescription:
    if f"{plugin.kind.value}/{plugin.name}" not in off:
        return plugin
    message = "It is switched off on this installation (DETECTVIZ_PLUGINS_OFF)."
    problem = PluginProblem(path=plugin.folder / MANIFEST_FILE, field="", message=message)
    return replace(plugin, status="broken", problems=(*plugin.problems, problem))


def _with_dependencies(
    plugin: PluginDescription, plugins: dict[tuple[PluginKind, str], PluginDescription]
) -> PluginDescription:
    known = {f"{kind.value}/{name}" for kind, name in plugins}
    wanted = plugin.manifest.dependencies if plugin.manifest else ()
    missing = tuple(
        PluginProblem(
            path=plugin.folder / MANIFEST_FILE,
            field=f"/dependencies/{index}",
            message=f"The plugin needs {name}, which is not here; install it.",
        )
        for index, name in enumerate(wanted)
        if name not in known
    )
    if not missing:
        return plugin
    return replace(plugin, status="broken", problems=(*plugin.problems, *missing))
