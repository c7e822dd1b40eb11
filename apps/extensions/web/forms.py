"""The form of what an org sets for a plugin, made from the plugin's settings schema."""

from collections.abc import Mapping
from typing import Any

from django.http import QueryDict

from apps.extensions.models import OrgPlugin
from apps.extensions.services.switches import settings_shown
from detectviz.pluginhost.configuration import split_secrets
from detectviz.pluginhost.description import PluginDescription
from detectviz.pluginhost.forms import FormField, form_fields
from detectviz.web.forms import Errors, SchemaForm
from detectviz.web.parsing import parse_form


def settings_fields(plugin: PluginDescription) -> tuple[FormField, ...]:
    """Return the fields; none for a plugin with nothing to set."""
    return form_fields(plugin.manifest.settings_schema, ("config",)) if plugin.manifest else ()


def settings_form(
    plugin: PluginDescription,
    row: OrgPlugin | None,
    *,
    document: Mapping[str, Any] | None = None,
    errors: Errors | None = None,
) -> SchemaForm:
    """Return the form with what was submitted (``document``), else with what is stored."""
    stored = settings_shown(plugin, row)
    return SchemaForm(
        settings_fields(plugin),
        {"config": stored["config"] if document is None else document},
        errors or {},
        frozenset(f"config/{name}" for name in stored["secrets"]),
    )


def settings_submitted(
    plugin: PluginDescription, data: QueryDict
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return configuration and secrets of a submitted form."""
    document = parse_form(settings_fields(plugin), data).get("config", {})
    schema = plugin.manifest.settings_schema if plugin.manifest else {}
    config, secrets = split_secrets(schema, document if isinstance(document, Mapping) else {})
    return dict(config), dict(secrets)
