"""What is written to plugins, and how they are shown."""

from typing import Any

from rest_framework import serializers

from apps.extensions.models import OrgPlugin
from apps.extensions.selectors import is_enabled
from apps.extensions.services.switches import settings_shown
from detectviz.contracts.manifest import Manifest
from detectviz.pluginhost.description import PluginDescription, PluginKey, shown

API_VERSION = "plugins/v1"


class ConfigSpec(serializers.Serializer[Any]):
    """What an org sets for a plugin."""

    config = serializers.DictField(required=False, default=dict)
    secrets = serializers.DictField(required=False, default=dict)


class DeploymentSpec(serializers.Serializer[Any]):
    """The deployment's word on a plugin."""

    enabled = serializers.BooleanField(required=False)
    settings = serializers.DictField(required=False)


def plugin_envelope(
    plugin: PluginDescription, org: str, usage: dict[PluginKey, dict[str, int]]
) -> dict[str, Any]:
    """Return a plugin as lists show it; ``usage`` has the org's resources that refer to it."""
    spec: dict[str, Any] = {"kind": plugin.kind.value, "source": plugin.source}
    if plugin.parent is not None:
        spec["parent"] = shown(plugin.parent)
    if plugin.manifest is not None:
        spec |= _manifest(plugin.manifest) | {"trust": plugin.trust}
    problems = [{"field": each.field, "message": each.message} for each in plugin.problems]
    return {
        "apiVersion": API_VERSION,
        "kind": "Plugin",
        "metadata": {"name": plugin.name, "org": org},
        "spec": spec,
        "status": {
            "state": plugin.status,
            "enabled": is_enabled(plugin, org) and plugin.status != "disabled",
            "deployment_enabled": is_enabled(plugin, None) and plugin.status != "disabled",
            "problems": problems,
            "used_by": usage.get(plugin.key, {}),
        },
    }


def _manifest(manifest: Manifest) -> dict[str, Any]:
    return {
        "title": manifest.title,
        "description": manifest.description,
        "version": manifest.version,
        "category": manifest.category,
        "quality": manifest.quality,
        "engine_version": manifest.engine_version,
        "aliases": list(manifest.aliases),
        "children": list(manifest.children),
        "dependencies": list(manifest.dependencies),
        "requirements": list(manifest.requirements),
        "permissions": {
            "network": list(manifest.permissions.network),
            "files": list(manifest.permissions.files),
            "secrets": list(manifest.permissions.secrets),
        },
    }


def config_envelope(plugin: PluginDescription, org: str, row: OrgPlugin | None) -> dict[str, Any]:
    """Return what an org set for a plugin; secrets only as set or not."""
    return {
        "apiVersion": API_VERSION,
        "kind": "PluginConfig",
        "metadata": {
            "name": plugin.name,
            "org": org,
            "resource_version": row.resource_version if row else 0,
        },
        "spec": {"kind": plugin.kind.value, **settings_shown(plugin, row)},
    }
