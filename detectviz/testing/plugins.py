"""The plugins that tests reach: the built-in ones, and those of an author's own folders."""

from functools import cache
from pathlib import Path

from detectviz.contracts.types import JsonObject, JsonValue, PluginKind
from detectviz.pluginhost.configuration import ValidatedConfiguration, validate
from detectviz.pluginhost.host import PluginHost
from detectviz.pluginhost.loading import ensure_package, package_name
from detectviz.pluginhost.pipeline import scan
from detectviz.pluginhost.sources import FolderSource

PROJECT_ROOT = Path(__file__).resolve().parents[2]
PLUGINS = PROJECT_ROOT / "plugins"


_folders: list[Path] = []


@cache
def built_in_plugins() -> PluginHost:
    """Return a host of the plugins of this project, scanned once per process.

    After ``plugin_folders_use`` it has the plugins of those folders, too.
    """
    return plugins_of(*_folders)


def plugins_of(*folders: Path) -> PluginHost:
    """Return a host of the built-in plugins and of those in ``folders`` (``<kind>/<name>/``)."""
    sources = [FolderSource(folder=PLUGINS, source="built-in")]
    return PluginHost(scan([*sources, *(FolderSource(folder=each) for each in folders)]))


def plugin_folders_use(*folders: Path) -> None:
    """Have every suite of this process find the plugins in ``folders``, too.

    Their modules can be imported as ``plugins.<kind>.<name>.<module>`` from now on.
    """
    _folders[:] = [folder.resolve() for folder in folders]
    built_in_plugins.cache_clear()
    for plugin in built_in_plugins().list():
        if plugin.folder.parents[1] in _folders:
            ensure_package(package_name(plugin.kind, plugin.name), plugin.folder)


def checked_config(
    kind: PluginKind, name: str, config: JsonObject, secrets: dict[str, JsonValue] | None = None
) -> ValidatedConfiguration:
    """Return the configuration with defaults as the host would hand it to the plugin.

    Fail the test when the schema refuses it.
    """
    schema = built_in_plugins().manifest(kind, name).config_schema
    checked = validate(schema, config, secrets or {})
    assert not checked.problems, checked.problems
    return checked
