"""The form of a monitor: its own fields around those of its collector plugin."""

from collections.abc import Iterator, Mapping
from typing import Any

from django.http import QueryDict

from apps.monitors.models import Monitor
from detectviz.contracts.manifest import Manifest
from detectviz.contracts.types import JsonObject
from detectviz.pluginhost.configuration import split_secrets
from detectviz.pluginhost.forms import FormField, form_fields
from detectviz.resources.errors import InvalidFieldsError
from detectviz.web.forms import Errors, SchemaForm
from detectviz.web.parsing import parse_form

_HEAD: JsonObject = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "title": {
            "type": "string",
            "title": "Title",
            "x-placeholder": "Home page",
            "description": "What people call it.",
        },
        "name": {
            "type": "string",
            "title": "Name",
            "x-placeholder": "home-page",
            "description": "Lowercase letters, digits and dashes. Used in addresses, labels and "
            "YAML; it can't be changed later.",
        },
    },
}

_DEPENDS_ON: JsonObject = {
    "type": "array",
    "title": "Depends on",
    "items": {"type": "string"},
    "x-group": "Depends on",
    "x-placeholder": "router",
    "description": "Names of monitors, one per line. While one of them is down, new "
    "alerts of this monitor are held back; it is checked as ever.",
}


def _tail(folders: tuple[str, ...]) -> JsonObject:
    schedule, states, about = "Schedule and retries", "What counts as degraded or down", "Details"
    return {
        "type": "object",
        "properties": {
            "interval": _duration("Interval", "60s", schedule, "How often to check."),
            "timeout": _duration("Timeout", "10s", schedule, "At most 80 % of the interval."),
            "retries": {
                "type": "integer",
                "title": "Retries",
                "default": 0,
                "x-group": schedule,
                "description": "Failed checks to tolerate before the state becomes down.",
            },
            "retry_interval": _duration(
                "Retry interval", "", schedule, "Between retries; empty means the interval."
            ),
            "degraded_above": _duration(
                "Degraded above", "", states, "A slower answer is degraded. Empty: never."
            ),
            "down_above": _duration(
                "Down above", "", states, "A slower answer counts as down. Empty: never."
            ),
            "inverted": {
                "type": "boolean",
                "title": "Invert: up is down and down is up",
                "x-group": states,
            },
            "maintenance": {
                "type": "boolean",
                "title": "In maintenance: keep checking, leave it out of uptime",
                "x-group": states,
            },
            "depends_on": _DEPENDS_ON,
            "folder": {
                "type": "string",
                "title": "Folder",
                "enum": ["", *folders],
                "default": "",
                "x-labels": {"": "No folder"},
                "x-group": about,
                "description": "Permissions can be given for a folder.",
            },
            "labels": {
                "type": "object",
                "title": "Labels",
                "x-group": about,
                "description": "Written on every series; rules and routes select by them.",
            },
            "description": {
                "type": "string",
                "title": "Description",
                "x-widget": "textarea",
                "x-group": about,
            },
            "runbook_url": {
                "type": "string",
                "title": "Runbook",
                "format": "uri",
                "x-placeholder": "https://wiki.example.org/runbooks/home",
                "x-group": about,
            },
            "notes": {
                "type": "string",
                "title": "Notes",
                "x-widget": "textarea",
                "x-group": about,
            },
            "location": {
                "type": "string",
                "title": "Location",
                "default": "default",
                "x-group": about,
                "description": "The worker pool that runs the checks.",
            },
        },
    }


def _duration(title: str, default: str, group: str, help_text: str) -> JsonObject:
    described: dict[str, Any] = {
        "type": "string",
        "title": title,
        "format": "duration",
        "description": help_text,
        "x-group": group,
    }
    return {**described, "default": default} if default else described


def monitor_fields(
    manifest: Manifest, folders: tuple[str, ...], *, is_new: bool
) -> tuple[FormField, ...]:
    """Return the fields of a monitor of the manifest's type."""
    head = form_fields(_HEAD)
    return (
        *(each for each in head if is_new or each.name != "name"),
        *form_fields(manifest.config_schema, ("config",)),
        *form_fields(_tail(folders)),
    )


def monitor_form(
    manifest: Manifest,
    folders: tuple[str, ...],
    *,
    document: JsonObject,
    errors: Errors | None = None,
    is_new: bool = False,
) -> SchemaForm:
    """Return the form around a document; ``document["secrets"]`` says which secrets are set."""
    stored = document.get("secrets")
    names = stored if isinstance(stored, Mapping) else {}
    return SchemaForm(
        monitor_fields(manifest, folders, is_new=is_new),
        document,
        errors or {},
        frozenset(f"config/{name}" for name in names),
    )


def document_of(monitor: Monitor, spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the form shows of a stored monitor."""
    folder = monitor.folder.name if monitor.folder else ""
    return {**spec, "name": monitor.name, "labels": dict(monitor.labels), "folder": folder}


def submitted_document(
    manifest: Manifest, folders: tuple[str, ...], data: QueryDict
) -> dict[str, Any]:
    """Return the document of a submitted form."""
    return parse_form(monitor_fields(manifest, folders, is_new=True), data)


def spec_of(
    manifest: Manifest, document: Mapping[str, Any], base: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the spec of a submitted document; ``base`` has what the form does not ask."""
    config, secrets = split_secrets(manifest.config_schema, document.get("config", {}))
    kept = {"enabled": base["enabled"]} if "enabled" in base else {}
    own = {key: value for key, value in document.items() if key not in _ENVELOPE}
    return {**kept, **own, "type": manifest.name, "config": config, "secrets": secrets}


_ENVELOPE = frozenset({"name", "labels", "folder"})


def pairs_of(text: str) -> Iterator[tuple[str, str]]:
    """Yield the ``name=value`` pairs of a line, split at commas or spaces; others are skipped."""
    for word in text.replace(",", " ").split():
        name, equals, value = word.partition("=")
        if equals and name:
            yield name, value.strip('"')


def labels_of(text: str) -> dict[str, str]:
    """Return the labels of a line such as ``team=web, tier=``; refuse a line without any."""
    labels = dict(pairs_of(text))
    if not labels:
        raise InvalidFieldsError({"labels": ["Write name=value; an empty value removes it."]})
    return labels
