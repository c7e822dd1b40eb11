"""What a composition says of single plugins, put into what the host knows of them."""

from dataclasses import replace

from detectviz.composition.building import Deployment
from detectviz.contracts.types import JsonObject, JsonValue
from detectviz.pluginhost.description import PluginDescription, shown
from detectviz.pluginhost.schema import is_secret, properties_of


def plugin_adjusted(plugin: PluginDescription, deployment: Deployment) -> PluginDescription:
    """Return the plugin with the deployment's defaults for its config, and what it waits for."""
    name = shown(plugin.key)
    config = deployment.plugin_configs.get(name, {})
    needs = deployment.plugin_needs.get(name, ())
    if plugin.manifest is None or not (config or needs):
        return plugin
    manifest = replace(
        plugin.manifest,
        config_schema=_with_defaults(plugin.manifest.config_schema, config),
        dependencies=tuple(dict.fromkeys([*plugin.manifest.dependencies, *needs])),
    )
    return replace(plugin, manifest=manifest)


def _with_defaults(schema: JsonObject, config: JsonObject) -> JsonObject:
    """Return the schema with ``config`` as its defaults, so that nobody must write these again."""
    properties: dict[str, JsonValue] = {}
    for name, described in properties_of(schema).items():
        is_default = name in config and not is_secret(described)
        properties[name] = {**described, "default": config[name]} if is_default else dict(described)
    required = schema.get("required")
    missing = [one for one in required if one not in config] if isinstance(required, list) else []
    return {**schema, "properties": properties, **({"required": missing} if required else {})}
