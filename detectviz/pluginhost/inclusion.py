"""Schemas that let one choose a plugin: the choices, and the options of each, are put in."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from detectviz.contracts.manifest import Manifest
from detectviz.contracts.types import JsonObject, PluginKind
from detectviz.pluginhost.description import PluginDescription
from detectviz.pluginhost.manifest import folder_name
from detectviz.pluginhost.schema import properties_of, secret_paths

KEYWORD: Final = "x-plugins"
_SUFFIX: Final = "_sd"
_LAST: Final = 10_000


def options_name(plugin: str) -> str:
    """Return the property that holds the options of the chosen ``plugin``."""
    return f"{folder_name(plugin)}{_SUFFIX}"


def include_choices(plugins: Iterable[PluginDescription]) -> list[PluginDescription]:
    """Return ``plugins`` with every ``x-plugins`` of their schemas made a choice with options.

    Only usable plugins are offered. The secrets of their options become secrets of the schema.
    """
    found = list(plugins)
    return [_included(plugin, found) for plugin in found]


def _included(plugin: PluginDescription, others: list[PluginDescription]) -> PluginDescription:
    manifest = plugin.manifest
    if manifest is None:
        return plugin
    schema = manifest.config_schema
    for name, described in properties_of(schema).items():
        kind = described.get(KEYWORD)
        if isinstance(kind, str):
            chosen = [
                each.manifest
                for each in others
                if each.kind == PluginKind(kind) and each.manifest and each.is_usable
            ]
            schema = _with_options(schema, name, sorted(chosen, key=lambda each: each.name))
    if schema is manifest.config_schema:
        return plugin
    secrets = tuple("/".join(path) for path in secret_paths(schema))
    permissions = replace(manifest.permissions, secrets=secrets)
    return replace(
        plugin, manifest=replace(manifest, config_schema=schema, permissions=permissions)
    )


def _with_options(schema: JsonObject, name: str, chosen: list[Manifest]) -> JsonObject:
    properties = properties_of(schema)
    labels = {each.name: each.title for each in chosen}
    choice = {**properties[name], "enum": [*labels], "x-labels": labels}
    options = {options_name(each.name): _options(each, name, choice) for each in chosen}
    conditions = [
        {
            "if": {"properties": {name: {"const": each.name}}, "required": [name]},
            "then": {"required": [options_name(each.name)]},
        }
        for each in chosen
        if each.config_schema.get("required")
    ]
    earlier = schema.get("allOf")
    rules = [*(earlier if isinstance(earlier, list) else []), *conditions]
    made = {**schema, "properties": {**properties, name: choice, **options}}
    return {**made, "allOf": rules} if rules else made


def _options(manifest: Manifest, name: str, choice: JsonObject) -> JsonObject:
    """Return the options of one plugin as a property: credentials go where they point."""
    schema = {
        key: value for key, value in manifest.config_schema.items() if not key.startswith("$")
    }
    order = choice.get("x-order")
    shown: Mapping[str, str] = {name: manifest.name}
    return {
        **schema,
        "title": manifest.title,
        "description": manifest.description,
        "x-show-if": shown,
        "x-order": order + 1 if isinstance(order, int) else _LAST,
        "x-target": True,
    }
