"""A monitor's configuration, judged by its collector plugin's schema."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apps.extensions.selectors import plugin_manifest
from detectviz.contracts.manifest import Manifest
from detectviz.contracts.types import PluginKind
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
    """What a monitor had before this write."""

    type: str
    config: Mapping[str, Any]
    secrets: Mapping[str, str]


def collector_manifest(name: str) -> Manifest:
    """Return the manifest of a collector; raise InvalidFieldsError naming ``spec.type``."""
    try:
        return plugin_manifest(PluginKind.COLLECTOR, name)
    except PluginHostError as error:
        raise InvalidFieldsError({"spec.type": [str(error)]}) from error


def is_passive(manifest: Manifest) -> bool:
    """Say whether a collector only judges what it was told: it asks for no network."""
    return not manifest.permissions.network


def configuration_check(
    *,
    type_name: str,
    config: Mapping[str, Any],
    secrets: Mapping[str, Any],
    stored: StoredConfiguration | None,
) -> Configuration:
    """Return the configuration to store, or raise InvalidFieldsError naming every wrong field.

    Secrets given as text replace stored ones, null removes them, ``{"set": true}`` or absence
    keeps them. Secrets are kept only while they go where they went before: with another type or
    another target host they must be entered again.
    """
    schema = collector_manifest(type_name).config_schema
    kept = stored.secrets if stored and stored.type == type_name else {}
    merged = merge_secrets(schema, kept, secrets)
    outcome = validate(schema, config, merged)
    problems = _by_field(outcome.problems)
    if kept and stored and target_changed(schema, stored.config, config):
        for name in mask(schema, kept):
            if merged.get(name) == kept[name] and not isinstance(secrets.get(name), str):
                problems.setdefault(f"spec.secrets.{name}", []).append(
                    "Enter it again: the target has changed, and a stored secret is only sent "
                    "where it was meant to go."
                )
    if problems:
        raise InvalidFieldsError(problems)
    return Configuration(config=dict(outcome.config), secrets=dict(outcome.secrets))


def secrets_masked(type_name: str, secrets: Mapping[str, str]) -> dict[str, Any]:
    """Return what may be read back of a monitor's secrets."""
    try:
        schema = plugin_manifest(PluginKind.COLLECTOR, type_name).config_schema
    except PluginHostError:
        return {}
    return dict(mask(schema, secrets))


def _by_field(problems: tuple[ConfigurationProblem, ...]) -> dict[str, list[str]]:
    fields: dict[str, list[str]] = {}
    for problem in problems:
        parts = [
            part.replace("~1", "/").replace("~0", "~") for part in problem.field.split("/")[1:]
        ]
        place = "secrets" if problem.is_secret else "config"
        fields.setdefault(".".join(["spec", place, *parts]), []).append(problem.message)
    return fields
