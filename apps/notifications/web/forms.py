"""The form of a receiver: its own fields around those of its notifier plugin."""

from collections.abc import Mapping
from typing import Any

from detectviz.contracts.manifest import Manifest
from detectviz.contracts.types import JsonObject
from detectviz.pluginhost.configuration import split_secrets
from detectviz.pluginhost.forms import FormField, form_fields
from detectviz.web.forms import Errors, field_errors

_POINT: JsonObject = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "title": {"type": "string", "title": "Title", "x-placeholder": "Operations on duty"},
        "name": {
            "type": "string",
            "title": "Name",
            "x-placeholder": "ops",
            "description": "Lowercase letters, digits and dashes. Routes refer to it.",
        },
    },
}
_RECEIVER: JsonObject = {
    "type": "object",
    "properties": {
        "receiver": {
            "type": "string",
            "title": "Name of the receiver",
            "x-group": "More",
            "description": "Empty: made from the notifier's name.",
        },
        "send_resolved": {
            "type": "boolean",
            "title": "Tell when an alert is resolved",
            "default": True,
        },
        "enabled": {"type": "boolean", "title": "Enabled", "default": True},
    },
}


def receiver_fields(
    manifest: Manifest, *, is_new_point: bool, is_new_receiver: bool
) -> tuple[FormField, ...]:
    """Return the fields of a receiver; of a new contact point, its name and title before them."""
    own = form_fields(_RECEIVER)
    return (
        *(form_fields(_POINT) if is_new_point else ()),
        *form_fields(manifest.config_schema, ("config",)),
        *(each for each in own if is_new_receiver or each.name != "receiver"),
    )


def receiver_of(manifest: Manifest, document: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the receiver of a submitted document, as the spec has it."""
    config, secrets = split_secrets(manifest.config_schema, document.get("config", {}))
    chosen = name or document.get("receiver", "")
    return {
        **({"name": chosen} if chosen else {}),
        "notifier": manifest.name,
        "config": config,
        "secrets": secrets,
        "send_resolved": bool(document.get("send_resolved")),
        "enabled": bool(document.get("enabled")),
    }


def receiver_errors(errors: Errors, index: int) -> Errors:
    """Move the errors of receiver ``index`` to the fields of its form."""
    prefix = f"receivers/{index}/"
    own = {
        name.removeprefix(prefix): list(messages)
        for name, messages in errors.items()
        if name.startswith(prefix)
    }
    if "name" in own:
        own["receiver"] = own.pop("name")
    rest = {name: list(text) for name, text in errors.items() if not name.startswith(prefix)}
    return {**rest, **field_errors(own)}
