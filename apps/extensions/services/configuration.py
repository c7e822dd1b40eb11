"""Judge what users wrote for a plugin by the plugin's own schema."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import models

from apps.extensions.selectors import is_enabled, plugin_host, plugin_manifest
from detectviz.contracts.manifest import Manifest
from detectviz.contracts.types import JsonObject, PluginKind
from detectviz.pluginhost.configuration import (
    ConfigurationProblem,
    mask,
    merge_secrets,
    target_changed,
    validate,
)
from detectviz.pluginhost.errors import PluginHostError
from detectviz.resources.errors import InvalidFieldsError


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """A configuration that passed, defaults filled."""

    config: dict[str, Any]
    secrets: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredConfiguration:
    """What there was before this write."""

    plugin: str
    config: Mapping[str, Any]
    secrets: Mapping[str, str]


def manifest_require(
    *, kind: PluginKind, name: str, path: str, org: models.Model | None = None
) -> Manifest:
    """Return the manifest of a usable plugin; raise InvalidFieldsError naming ``path``.

    ``org`` is given where the plugin is newly chosen: one that is switched off is refused then.
    """
    try:
        manifest = plugin_manifest(kind, name)
        plugin = plugin_host().describe(kind, name)
        if org is not None and not is_enabled(plugin, str(getattr(org, "name", ""))):
            raise InvalidFieldsError(
                {path: [f"The plugin {name} is switched off; an administrator can enable it."]}
            )
    except PluginHostError as error:
        raise InvalidFieldsError({path: [str(error)]}) from error
    return manifest


def configuration_check(
    *,
    manifest: Manifest,
    config: Mapping[str, Any],
    secrets: Mapping[str, Any],
    stored: StoredConfiguration | None,
    path: str = "spec",
    names: tuple[str, str] = ("config", "secrets"),
    is_moved: bool = False,
    schema: JsonObject | None = None,
) -> Configuration:
    """Return the configuration to store, or raise InvalidFieldsError naming every wrong field.

    Secrets given as text replace stored ones, null removes them, ``{"set": true}`` or absence
    keeps them. Secrets are kept only while they go where they went before: with another plugin
    or another target host they must be entered again. ``path`` is where config and secrets
    stand in the document; ``schema`` is the plugin's for one resource unless another is given.
    """
    schema = manifest.config_schema if schema is None else schema
    kept = stored.secrets if stored and stored.plugin == manifest.name else {}
    merged = merge_secrets(schema, kept, secrets)
    outcome = validate(schema, config, merged)
    problems = _by_field(outcome.problems, path, names)
    if kept and stored and (is_moved or target_changed(schema, stored.config, config)):
        for name in mask(schema, kept):
            if merged.get(name) == kept[name] and not isinstance(secrets.get(name), str):
                problems.setdefault(f"{path}.{names[1]}.{name}", []).append(
                    "Enter it again: the target has changed, and a stored secret is only sent "
                    "where it was meant to go."
                )
    if problems:
        raise InvalidFieldsError(problems)
    return Configuration(config=dict(outcome.config), secrets=dict(outcome.secrets))


def secrets_masked(*, kind: PluginKind, name: str, secrets: Mapping[str, str]) -> dict[str, Any]:
    """Return what may be read back of stored secrets."""
    if not secrets:
        return {}  # most have none, and lists ask for each of their rows
    try:
        schema = plugin_manifest(kind, name).config_schema
    except PluginHostError:
        return {}
    return dict(mask(schema, secrets))


def _by_field(
    problems: tuple[ConfigurationProblem, ...], path: str, names: tuple[str, str]
) -> dict[str, list[str]]:
    fields: dict[str, list[str]] = {}
    for problem in problems:
        parts = [
            part.replace("~1", "/").replace("~0", "~") for part in problem.field.split("/")[1:]
        ]
        place = names[problem.is_secret]
        fields.setdefault(".".join([path, place, *parts]), []).append(problem.message)
    return fields
