"""Switching plugins on and off, and what is set for them. SQL is the truth; processes follow it."""

from collections.abc import Mapping
from typing import Any

from django.db import models, transaction
from django.db.models import F

from apps.extensions.models import OrgPlugin, PluginStamp, PluginSwitch
from apps.extensions.selectors import org_plugin_get
from apps.extensions.services.configuration import StoredConfiguration, configuration_check
from apps.extensions.services.following import plugins_refresh
from detectviz.events.bus import publish
from detectviz.events.types import SecurityEventOccurred
from detectviz.pluginhost.configuration import mask
from detectviz.pluginhost.description import PluginDescription, shown
from detectviz.resources.errors import ConflictError, InvalidFieldsError


@transaction.atomic
def plugin_switch(
    *,
    plugin: PluginDescription,
    is_enabled: bool,
    org: models.Model | None = None,
    actor: Any = None,
) -> None:
    """Switch a plugin on or off for one org, or for the whole deployment (``org`` None).

    Raise ConflictError for switching on what the installation's settings keep off.
    """
    if is_enabled and plugin.status == "disabled":
        raise ConflictError(plugin.problems[-1].message)
    identity: dict[str, Any] = {"kind": plugin.kind.value, "name": plugin.name}
    if org is None:
        row: PluginSwitch | OrgPlugin = PluginSwitch.objects.get_or_create(**identity)[0]
    else:
        row = OrgPlugin.objects.for_org(org).get_or_create(org=org, **identity)[0]
    if row.is_enabled == is_enabled:
        return
    row.is_enabled = is_enabled
    row.save(update_fields=["is_enabled", "updated_at"])
    _told("enable" if is_enabled else "disable", plugin, org, actor, {})
    stamp_raise(policy=True)


@transaction.atomic
def plugin_configure(
    *,
    plugin: PluginDescription,
    org: models.Model,
    config: Mapping[str, Any],
    secrets: Mapping[str, Any],
    resource_version: int | None = None,
    actor: Any = None,
) -> OrgPlugin:
    """Set what an org sets for a plugin; raise InvalidFieldsError or ConflictError.

    Secrets follow the rule of all configurations: see ``configuration_check``.
    """
    manifest = plugin.manifest
    if manifest is None or not manifest.settings_schema:
        message = f"The plugin {shown(plugin.key)} has no settings of an organisation."
        raise InvalidFieldsError({"spec": [message]})
    row = org_plugin_get(org, plugin.key)
    if resource_version is not None and resource_version != (row.resource_version if row else 0):
        raise ConflictError("The settings changed meanwhile; read them again.")
    stored = None
    if row is not None:
        stored = StoredConfiguration(plugin=manifest.name, config=row.config, secrets=row.secrets)
    checked = configuration_check(
        manifest=manifest,
        schema=manifest.settings_schema,
        config=config,
        secrets=secrets,
        stored=stored,
    )
    if row is None:
        row = OrgPlugin(org_id=org.pk, kind=plugin.kind.value, name=plugin.name, resource_version=0)
    row.config, row.secrets = checked.config, checked.secrets
    row.resource_version += 1
    row.save()
    _told("configure", plugin, org, actor, {"config": checked.config})
    return row


@transaction.atomic
def plugin_deployment_settings(
    *,
    plugin: PluginDescription,
    settings: Mapping[str, Any],
    actor: Any = None,
) -> None:
    """Set what the plugin's lifecycle hooks are given, in every process from its next start on."""
    identity: dict[str, Any] = {"kind": plugin.kind.value, "name": plugin.name}
    PluginSwitch.objects.update_or_create(**identity, defaults={"settings": dict(settings)})
    _told("configure", plugin, None, actor, {"settings": dict(settings)})
    stamp_raise(policy=True)


@transaction.atomic
def plugins_changed() -> None:
    """Have every process look for plugins again: something was installed, updated or removed."""
    stamp_raise(folders=True)


def stamp_raise(*, policy: bool = False, folders: bool = False) -> None:
    """Tell every process that there is something to read; this one reads it after the commit."""
    PluginStamp.objects.get_or_create(pk=1)
    PluginStamp.objects.filter(pk=1).update(
        policy=F("policy") + int(policy), folders=F("folders") + int(folders)
    )
    transaction.on_commit(plugins_refresh, robust=True)


def settings_shown(plugin: PluginDescription, row: OrgPlugin | None) -> dict[str, Any]:
    """Return what may be read back of an org's settings."""
    schema = plugin.manifest.settings_schema if plugin.manifest else {}
    return {
        "config": row.config if row else {},
        "secrets": dict(mask(schema, row.secrets)) if row and schema else {},
    }


def _told(
    verb: str,
    plugin: PluginDescription,
    org: models.Model | None,
    actor: Any,
    details: Mapping[str, Any],
) -> None:
    publish(
        SecurityEventOccurred(
            action=f"plugin.{verb}",
            org_id=None if org is None else org.pk,
            actor_id=None if actor is None else actor.pk,
            kind="Plugin",
            name=plugin.name,
            details={
                "plugin": shown(plugin.key),
                "version": plugin.manifest.version if plugin.manifest else "",
                **details,
            },
        )
    )
