"""Plugins of the deployment: chosen and configured by the operator, for all organisations."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from django.conf import settings
from django.utils.module_loading import import_string

from detectviz.contracts.errors import ConfigurationError
from detectviz.contracts.types import JsonObject, JsonValue, PluginKind
from detectviz.pluginhost.configuration import validate
from detectviz.pluginhost.errors import PluginHostError
from detectviz.pluginhost.host import PluginHost
from detectviz.pluginhost.schema import is_secret, properties_of


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenPlugin:
    """A plugin with its configuration, checked. Calls go through the client, by its name."""

    kind: PluginKind
    name: str
    instance: Any = field(repr=False)
    config: JsonObject
    secrets: Mapping[str, str] = field(repr=False)


def chosen_host() -> PluginHost:
    """Return the process's plugin host."""
    host: PluginHost = import_string(settings.DETECTVIZ_PLUGIN_HOST)()
    return host


def plugin_chosen(
    kind: PluginKind, name: str, *, setting: str, given: Mapping[str, JsonValue] | None = None
) -> ChosenPlugin:
    """Return the plugin that ``setting`` chooses, ready to be called.

    ``given`` goes before what the composition says of the plugin. Raise ConfigurationError that
    names the setting: no such plugin, one that is off or broken, a wrong configuration.
    """
    host = chosen_host()
    try:
        plugin = host.describe(kind, name)
        manifest, instance = plugin.require(), host.load(kind, name)
    except PluginHostError as error:
        raise ConfigurationError(f"{setting}: {error}") from error
    if plugin.is_isolated:
        raise ConfigurationError(
            f"{setting}: {kind.value}/{name} is not trusted and would run in a process of its own, "
            "which plugins of the deployment cannot; sign it with a trusted key, or choose another."
        )
    declared = settings.DEPLOYMENT.plugin_configs.get(f"{kind.value}/{name}", {})
    everything = {**declared, **(given or {})}
    hidden = {key for key, row in properties_of(manifest.config_schema).items() if is_secret(row)}
    checked = validate(
        manifest.config_schema,
        {key: value for key, value in everything.items() if key not in hidden},
        {key: value for key, value in everything.items() if key in hidden},
    )
    if checked.problems:
        told = "; ".join(f"{each.field}: {each.message}" for each in checked.problems)
        raise ConfigurationError(f"{setting}: {kind.value}/{name}: {told}")
    return ChosenPlugin(
        kind=kind, name=name, instance=instance, config=checked.config, secrets=checked.secrets
    )


def config_object(text: str, *, setting: str) -> Mapping[str, JsonValue]:
    """Return the JSON object of a setting; raise ConfigurationError naming it."""
    try:
        value = orjson.loads(text or "{}")
    except ValueError as error:
        raise ConfigurationError(f"{setting} is no JSON object.") from error
    if not isinstance(value, dict):
        raise ConfigurationError(f"{setting} is no JSON object.")
    return value


def plugin_config(text: str, name: str, *, setting: str) -> Mapping[str, JsonValue]:
    """Return what a setting of the form ``{plugin: {…}}`` says of one plugin."""
    value = config_object(text, setting=setting).get(name, {})
    if not isinstance(value, Mapping):
        raise ConfigurationError(f"{setting}: what it says of {name} is no JSON object.")
    return value


def names_check(text: str, names: tuple[str, ...], *, setting: str, chooser: str) -> None:
    """Refuse a configuration of plugins that nobody chose; raise ConfigurationError."""
    unknown = sorted(set(config_object(text, setting=setting)) - set(names))
    if unknown:
        raise ConfigurationError(
            f"{setting} configures {unknown[0]}, which {chooser} does not name; add it there, or "
            "remove it here."
        )
