"""A monitor's collector plugin, and what it says of a configuration."""

from collections.abc import Mapping
from typing import Any

from django.db import models

from apps.extensions.services import (
    Configuration,
    StoredConfiguration,
    configuration_check,
    manifest_require,
)
from apps.monitors.models import Monitor
from detectviz.contracts.manifest import Manifest
from detectviz.contracts.types import PluginKind


def collector_manifest(name: str, org: models.Model | None = None) -> Manifest:
    """Return the manifest of a collector; raise InvalidFieldsError naming ``spec.type``.

    With ``org``, which chooses it newly, one that is switched off is refused.
    """
    return manifest_require(kind=PluginKind.COLLECTOR, name=name, path="spec.type", org=org)


def is_passive(manifest: Manifest) -> bool:
    """Say whether a collector only judges what it was told: it asks for no network."""
    return not manifest.permissions.network


def collector_configuration(
    *,
    type_name: str,
    config: Mapping[str, Any],
    secrets: Mapping[str, Any],
    instance: Monitor | None,
    org: models.Model | None = None,
) -> Configuration:
    """Return the configuration to store; ``instance`` lends the secrets that are kept.

    Raise InvalidFieldsError naming ``spec.type``, ``spec.config.…`` or ``spec.secrets.…``.
    """
    stored = None
    if instance is not None:
        stored = StoredConfiguration(
            plugin=instance.type, config=instance.config, secrets=instance.secrets
        )
    is_kept = instance is not None and instance.type == type_name
    manifest = collector_manifest(type_name, None if is_kept else org)
    return configuration_check(manifest=manifest, config=config, secrets=secrets, stored=stored)
