"""The store: what plugins there are. Frozen; a new scan makes a new one."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from detectviz.contracts.manifest import Manifest
from detectviz.contracts.types import PluginKind
from detectviz.pluginhost.description import PluginDescription, PluginKey
from detectviz.pluginhost.errors import NotRegisteredError, PluginProblem


class Store:
    """Metadata, types and aliases of every plugin one scan found: the single truth of a host.

    ``order`` are the keys so that each plugin comes after those it depends on.
    """

    def __init__(
        self,
        plugins: Iterable[PluginDescription],
        problems: tuple[PluginProblem, ...] = (),
        *,
        aliases: Mapping[PluginKey, PluginKey] | None = None,
        order: tuple[PluginKey, ...] = (),
    ) -> None:
        self._plugins = MappingProxyType({plugin.key: plugin for plugin in plugins})
        self._aliases = MappingProxyType(dict(aliases or {}))
        self.problems = problems
        self.order = order or tuple(self._plugins)
        self._families = {key: self._family(key) for key in self._plugins}

    def list(self, kind: PluginKind | None = None) -> tuple[PluginDescription, ...]:
        """Return every plugin, broken ones too, by kind and name."""
        chosen = [key for key in self._plugins if kind is None or key[0] is kind]
        return tuple(self._plugins[key] for key in sorted(chosen))

    def find(self, kind: PluginKind, name: str) -> PluginDescription | None:
        """Return the plugin of that name or alias, None when there is none."""
        found = self._plugins.get((kind, name))
        if found is None:
            found = self._plugins.get(self._aliases.get((kind, name), (kind, name)))
        return found

    def describe(self, kind: PluginKind, name: str) -> PluginDescription:
        """Return one plugin by name or alias, broken or not; raise NotRegisteredError."""
        plugin = self.find(kind, name)
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

        Raise NotRegisteredError, BrokenPluginError or UnavailableError.
        """
        return self.describe(kind, name).require()

    def children(self, kind: PluginKind, name: str) -> tuple[PluginDescription, ...]:
        """Return the plugins that one brought along."""
        return tuple(each for each in self.list() if each.parent == (kind, name))

    def family(self, key: PluginKey) -> tuple[PluginKey, ...]:
        """Return the key and those of its parents: switching one of them off switches it off."""
        return self._families.get(key, (key,))

    def _family(self, key: PluginKey) -> tuple[PluginKey, ...]:
        found: list[PluginKey] = []
        upper: PluginKey | None = key
        while upper is not None and upper not in found:
            found.append(upper)
            plugin = self._plugins.get(upper)
            upper = plugin.parent if plugin else None
        return tuple(found)
