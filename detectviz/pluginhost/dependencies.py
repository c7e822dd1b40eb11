"""Which plugin needs which: missing ones, wrong versions, circles, and the order to start in."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from packaging.specifiers import SpecifierSet

from detectviz.contracts.types import PluginKind
from detectviz.pluginhost.description import PluginDescription, PluginKey, shown
from detectviz.pluginhost.errors import PluginProblem
from detectviz.pluginhost.manifest import MANIFEST_FILE

Plugins = Mapping[PluginKey, PluginDescription]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """One line of ``dependencies``: ``kind/name`` and perhaps a range, as ``tools/dns >=1,<2``."""

    kind: str
    name: str
    versions: SpecifierSet

    @property
    def key(self) -> PluginKey | None:
        """Kind and name, None for a kind this host does not know."""
        return (PluginKind(self.kind), self.name) if self.kind in set(PluginKind) else None


def dependency_parse(text: str) -> Dependency:
    """Return one dependency; raise InvalidSpecifier for a range that is none."""
    end = next((at for at, letter in enumerate(text) if letter in " <>=!~"), len(text))
    kind, _, name = text[:end].partition("/")
    return Dependency(kind=kind, name=name, versions=SpecifierSet(text[end:].strip()))


def dependencies_of(plugin: PluginDescription) -> list[Dependency]:
    """Return what a plugin needs."""
    return (
        [dependency_parse(text) for text in plugin.manifest.dependencies] if plugin.manifest else []
    )


def dependencies_resolve(
    plugins: Plugins,
) -> tuple[dict[PluginKey, PluginDescription], list[PluginKey]]:
    """Return the plugins, those that lack something made broken, and the order to start in.

    A plugin breaks with what it needs, with its parent, and in a circle, which is named.
    """
    walk = _Walk(plugins)
    for key in sorted(plugins):
        walk.visit(key)
    return {key: walk.judged[key] for key in plugins}, walk.order


class _Walk:
    """Depth first over what plugins need; ``order`` has each after its needs."""

    def __init__(self, plugins: Plugins) -> None:
        self._plugins = plugins
        self._path: list[PluginKey] = []
        self.judged: dict[PluginKey, PluginDescription] = {}
        self.order: list[PluginKey] = []

    def visit(self, key: PluginKey) -> None:
        if key in self.judged:
            return
        if key in self._path:
            self._break_circle(self._path[self._path.index(key) :])
            return
        self._path.append(key)
        for needed in self._needs(key):
            self.visit(needed)
        self._path.pop()
        if key not in self.judged:
            plugin = self._plugins[key]
            self.judged[key] = _broken(plugin, self._problems(plugin))
            self.order.append(key)

    def _needs(self, key: PluginKey) -> list[PluginKey]:
        plugin = self._plugins[key]
        wanted = [dependency.key for dependency in dependencies_of(plugin)]
        return [each for each in (plugin.parent, *wanted) if each in self._plugins and each]

    def _break_circle(self, circle: list[PluginKey]) -> None:
        names = " → ".join(shown(each) for each in (*circle, circle[0]))
        message = f"The plugins need each other in a circle: {names}; take one dependency away."
        for key in [each for each in circle if each not in self.judged]:
            plugin = self._plugins[key]
            problem = _problem(plugin, "/dependencies", message)
            self.judged[key] = _broken(plugin, (problem,))
            self.order.append(key)

    def _problems(self, plugin: PluginDescription) -> tuple[PluginProblem, ...]:
        found = []
        for index, dependency in enumerate(dependencies_of(plugin)):
            message = self._complaint(dependency)
            if message:
                found.append(_problem(plugin, f"/dependencies/{index}", message))
        parent = self.judged.get(plugin.parent) if plugin.parent else None
        if parent is not None and not parent.is_usable:
            message = f"The plugin belongs to {shown(parent.key)}, which is {parent.status}."
            found.append(_problem(plugin, "", message))
        return tuple(found)

    def _complaint(self, dependency: Dependency) -> str:
        label = f"{dependency.kind}/{dependency.name}"
        needed = self.judged.get(dependency.key) if dependency.key else None
        if needed is None or needed.manifest is None:
            state = "is broken; put it right" if needed else "is not here; install it"
            return f"The plugin needs {label}, which {state}."
        if not dependency.versions.contains(needed.manifest.version, prereleases=True):
            return (
                f"The plugin needs {label} {dependency.versions} and version "
                f"{needed.manifest.version} is installed; update one of the two."
            )
        if not needed.is_usable:
            return f"The plugin needs {label}, which is {needed.status}; put that right first."
        return ""


def _problem(plugin: PluginDescription, field: str, message: str) -> PluginProblem:
    return PluginProblem(path=plugin.folder / MANIFEST_FILE, field=field, message=message)


def _broken(plugin: PluginDescription, problems: tuple[PluginProblem, ...]) -> PluginDescription:
    if not problems:
        return plugin
    return replace(plugin, status="broken", problems=(*plugin.problems, *problems))
