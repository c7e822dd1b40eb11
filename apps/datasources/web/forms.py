"""The form of a datasource: its own fields around those of its plugin."""

from collections.abc import Mapping
from typing import Any

from django.http import QueryDict

from apps.datasources.models import Datasource
from apps.datasources.services.connection import FIELDS, connection_schema
from detectviz.contracts.manifest import Manifest
from detectviz.contracts.types import JsonObject
from detectviz.pluginhost.configuration import split_secrets
from detectviz.pluginhost.forms import FormField, form_fields
from detectviz.web.forms import Errors, SchemaForm
from detectviz.web.parsing import parse_form

_HEAD: JsonObject = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "title": {
            "type": "string",
            "title": "Title",
            "x-placeholder": "Warehouse",
            "description": "What people call it.",
        },
        "name": {
            "type": "string",
            "title": "Name",
            "x-placeholder": "warehouse",
            "description": "Lowercase letters, digits and dashes. Queries may refer to it; it "
            "can't be changed later.",
        },
    },
}
_ABOUT = "Details"
_ENVELOPE = frozenset({"name", "labels", "folder", "json_data"})


def _tail(folders: tuple[str, ...]) -> JsonObject:
    return {
        "type": "object",
        "properties": {
            "is_default": {
                "type": "boolean",
                "title": "Default of the organisation: what a query asks that names none",
                "default": False,
                "x-group": _ABOUT,
            },
            "uid": {
                "type": "string",
                "title": "UID",
                "x-group": _ABOUT,
                "description": "What dashboards and rules refer to. Empty: one is made; it can't "
                "be changed later.",
            },
            "folder": {
                "type": "string",
                "title": "Folder",
                "enum": ["", *folders],
                "default": "",
                "x-labels": {"": "No folder"},
                "x-group": _ABOUT,
                "description": "Permissions can be given for a folder.",
            },
            "labels": {"type": "object", "title": "Labels", "x-group": _ABOUT},
        },
    }


def datasource_fields(
    manifest: Manifest, folders: tuple[str, ...], *, is_new: bool
) -> tuple[FormField, ...]:
    """Return the fields of a datasource of the manifest's type."""
    own = (*form_fields(_HEAD), *form_fields(connection_schema(manifest.config_schema)))
    fields = (
        *own,
        *form_fields(manifest.config_schema, ("json_data",)),
        *form_fields(_tail(folders)),
    )
    return tuple(each for each in fields if is_new or each.name not in {"name", "uid"})


def datasource_form(
    manifest: Manifest,
    folders: tuple[str, ...],
    *,
    document: JsonObject,
    errors: Errors | None = None,
    is_new: bool = False,
) -> SchemaForm:
    """Return the form; ``document["secure_json_data"]`` says which secrets are set."""
    stored = document.get("secure_json_data")
    names = stored if isinstance(stored, Mapping) else {}
    return SchemaForm(
        datasource_fields(manifest, folders, is_new=is_new),
        document,
        placed_errors(errors or {}),
        frozenset(f"json_data/{name}" for name in names),
    )


def document_of(datasource: Datasource, spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the form shows of a stored datasource."""
    folder = datasource.folder.name if datasource.folder else ""
    own = {"name": datasource.name, "labels": dict(datasource.labels), "folder": folder}
    return {**spec, **own}


def submitted_document(
    manifest: Manifest, folders: tuple[str, ...], data: QueryDict
) -> dict[str, Any]:
    """Return the document of a submitted form."""
    return parse_form(datasource_fields(manifest, folders, is_new=True), data)


def spec_of(
    manifest: Manifest, document: Mapping[str, Any], base: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the spec of a submitted document; ``base`` has what the form does not ask."""
    json_data, secrets = split_secrets(manifest.config_schema, document.get("json_data", {}))
    kept = {name: base[name] for name in ("access", *FIELDS) if name in base}
    asked = connection_schema(manifest.config_schema)["properties"]
    for name in asked if isinstance(asked, Mapping) else ():
        kept.pop(name, None)  # what was asked and left empty is empty
    own = {key: value for key, value in document.items() if key not in _ENVELOPE}
    if not own.get("uid"):
        own.pop("uid", None)
    return {
        **kept,
        **own,
        "type": manifest.name,
        "json_data": json_data,
        "secure_json_data": secrets,
    }


def placed_errors(errors: Errors) -> dict[str, list[str]]:
    """Put the errors of secrets where their inputs are, among the plugin's other fields."""
    placed: dict[str, list[str]] = {}
    for name, texts in errors.items():
        first, slash, rest = name.partition("/")
        key = f"json_data{slash}{rest}" if first == "secure_json_data" else name
        placed.setdefault(key, []).extend(texts)
    return placed
