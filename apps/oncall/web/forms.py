"""The forms of how somebody wants to be told."""

from collections.abc import Mapping, Sequence
from typing import Any
from zoneinfo import available_timezones

from django.http import QueryDict

from apps.extensions.selectors import plugin_manifest
from apps.oncall.models import ContactMethod
from apps.oncall.services.preferences import SEVERITIES
from detectviz.contracts.manifest import Manifest
from detectviz.contracts.types import JsonObject, PluginKind
from detectviz.pluginhost.configuration import split_secrets
from detectviz.pluginhost.errors import PluginHostError
from detectviz.pluginhost.forms import FormField, form_fields
from detectviz.resources.errors import InvalidFieldsError
from detectviz.web.parsing import parse_form

DELAYS = (
    ("", "Not"),
    ("0", "At once"),
    ("300", "After 5 min"),
    ("900", "After 15 min"),
    ("1800", "After 30 min"),
    ("3600", "After 1 h"),
)
_NAME: JsonObject = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {
            "type": "string",
            "title": "Name",
            "x-placeholder": "phone",
            "description": "What you call it, in lowercase letters, digits and dashes.",
        }
    },
}


def notifier_manifest(name: str) -> Manifest | None:
    """Return the manifest of a usable notifier."""
    try:
        return plugin_manifest(PluginKind.NOTIFIER, name)
    except PluginHostError:
        return None


def method_fields(manifest: Manifest, *, is_new: bool) -> tuple[FormField, ...]:
    """Return what is asked of a method."""
    own = form_fields(_NAME) if is_new else ()
    return (*own, *form_fields(manifest.config_schema, ("config",)))


def method_document(
    manifest: Manifest, data: QueryDict, *, is_new: bool
) -> tuple[dict[str, Any], JsonObject, Mapping[str, str]]:
    """Return what was submitted: the document, and of it settings and secrets."""
    document: Any = parse_form(method_fields(manifest, is_new=is_new), data)
    config, secrets = split_secrets(manifest.config_schema, document.get("config", {}))
    return document, config, secrets


def rules_submitted(data: QueryDict, names: Sequence[str]) -> list[dict[str, Any]]:
    """Return the rules of a table of methods by severities."""
    known = {value for value, _ in DELAYS if value}
    return [
        {"severities": [severity], "method": name, "delay_s": int(delay)}
        for severity in SEVERITIES
        for name in names
        if (delay := data.get(f"rule/{name}/{severity}", "")) in known
    ]


def rules_table(
    rules: Sequence[Mapping[str, Any]], names: Sequence[str]
) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return for each method the delay chosen for each severity."""

    def chosen(name: str, severity: str) -> str:
        found = [
            rule["delay_s"]
            for rule in rules
            if rule["method"] == name and (not rule["severities"] or severity in rule["severities"])
        ]
        return str(min(found)) if found else ""

    return [(name, [(one, chosen(name, one)) for one in SEVERITIES]) for name in names]


def quiet_submitted(data: QueryDict) -> dict[str, Any]:
    """Return the quiet hours of a form; raise InvalidFieldsError."""
    zone = data.get("time_zone", "")
    if zone not in available_timezones():
        raise InvalidFieldsError({"time_zone": ["Use an IANA name such as Europe/Berlin."]})
    clocks = {name: data.get(f"quiet_{name}", "")[:5] for name in ("start", "end")}
    for name, text in clocks.items():
        if text and not _is_clock(text):
            raise InvalidFieldsError({f"quiet_{name}": ["Write a time of day such as 22:00."]})
    excepted = [one for one in SEVERITIES if one in data.getlist("quiet_except")]
    return {"time_zone": zone, **clocks, "except": excepted}


def stored_document(method: ContactMethod) -> dict[str, Any]:
    """Return a stored method as the form shows it."""
    return {"name": method.name, "config": method.config}


def _is_clock(text: str) -> bool:
    hours, separator, minutes = text.partition(":")
    if not (separator and hours.isdecimal() and minutes.isdecimal()):
        return False
    return int(hours) < 24 and int(minutes) < 60 and len(text) == len("00:00")  # noqa: PLR2004 - a day
