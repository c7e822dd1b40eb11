"""The built-in plugins, as tests reach them."""

from functools import cache
from pathlib import Path

from detectviz.contracts.types import JsonObject, JsonValue, PluginKind
from detectviz.pluginhost.configuration import ValidatedConfiguration, validate
from detectviz.pluginhost.host import PluginHost
from detectviz.pluginhost.pipeline import scan
from detectviz.pluginhost.sources import FolderSource

PROJECT_ROOT = Path(__file__).resolve().parents[2]
PLUGINS = PROJECT_ROOT / "plugins"


@cache
def built_in_plugins() -> PluginHost:
    """Return a host of the plugins of this project, scanned once per process."""
    return PluginHost(scan([FolderSource(folder=PLUGINS, source="built-in")]))


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
