"""The connection fields of a datasource, as its plugin wants them.

A plugin's schema describes ``json_data`` and the secrets. Its keyword ``x-connection`` is an
object schema too, of those of url, user, database, basic_auth and basic_auth_user that the plugin
uses; what it says of one is laid over the description here. Without it url, user and database may
be filled in, and basic authentication where there is a secret for it.
"""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from apps.extensions.services import Configuration, StoredConfiguration, configuration_check
from detectviz.contracts.manifest import Manifest
from detectviz.contracts.types import JsonObject
from detectviz.pluginhost.configuration import validate
from detectviz.pluginhost.schema import properties_of
from detectviz.resources.errors import InvalidFieldsError

KEYWORD: Final = "x-connection"
FIELDS: Final[Mapping[str, JsonObject]] = {
    "url": {
        "type": "string",
        "maxLength": 2048,
        "title": "URL",
        "description": "Where the datasource answers: an address, or host and port.",
        "x-placeholder": "http://localhost:9090",
        "x-order": 10,
    },
    "database": {
        "type": "string",
        "maxLength": 255,
        "title": "Database",
        "description": "The database to ask.",
        "x-order": 20,
    },
    "user": {
        "type": "string",
        "maxLength": 255,
        "title": "User",
        "description": "Who signs in. Give this user no more than the right to read.",
        "x-order": 30,
    },
    "basic_auth": {
        "type": "boolean",
        "default": False,
        "title": "Basic authentication",
        "description": "Send a user name and a password with every request.",
        "x-order": 40,
    },
    "basic_auth_user": {
        "type": "string",
        "maxLength": 255,
        "title": "Basic authentication user",
        "description": "The user name to send.",
        "x-show-if": {"basic_auth": True},
        "x-order": 50,
    },
}
_BASIC_SECRETS: Final = frozenset({"basic_auth_password", "basicAuthPassword"})
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def connection_schema(schema: JsonObject) -> JsonObject:
    """Return the object schema of the connection fields that a plugin uses."""
    said = schema.get(KEYWORD)
    if not isinstance(said, Mapping):
        has_basic = bool(_BASIC_SECRETS & properties_of(schema).keys())
        usual = {name: FIELDS[name] for name in FIELDS if has_basic or "basic" not in name}
        return _object(usual, ())
    chosen = properties_of(said)
    merged = {name: {**FIELDS.get(name, {}), **described} for name, described in chosen.items()}
    return _object(merged, said.get("required", ()))


def datasource_configuration(
    *,
    manifest: Manifest,
    connection: Mapping[str, Any],
    json_data: Mapping[str, Any],
    secrets: Mapping[str, Any],
    stored: StoredConfiguration | None,
    stored_url: str,
) -> Configuration:
    """Return json_data and secrets to store, or raise InvalidFieldsError naming every wrong field.

    Stored secrets go only where they went before: with another plugin, another host in the URL or
    another target named in json_data they must be entered again.
    """
    wrong = _connection_problems(manifest, connection)
    try:
        checked = configuration_check(
            manifest=manifest,
            config=json_data,
            secrets=secrets,
            stored=stored,
            names=("json_data", "secure_json_data"),
            is_moved=host_of(stored_url) != host_of(connection["url"]),
        )
    except InvalidFieldsError as error:
        raise InvalidFieldsError(wrong | error.fields) from error
    if wrong:
        raise InvalidFieldsError(wrong)
    return checked


def host_of(url: str) -> str:
    """Return where a URL, or ``host:port``, leads: scheme, host and port in one spelling."""
    text = url.strip()
    try:
        parts = urlsplit(text if "//" in text else f"//{text}")
        port = parts.port
    except ValueError:
        return text
    host = (parts.hostname or "").lower()
    # What names no host (the path of a file) is compared whole.
    return f"{parts.scheme}://{host}:{port or _DEFAULT_PORTS.get(parts.scheme)}" if host else text


def _connection_problems(manifest: Manifest, connection: Mapping[str, Any]) -> dict[str, list[str]]:
    schema = connection_schema(manifest.config_schema)
    written = {
        name: connection[name]
        for name in properties_of(schema)
        if name in connection and connection[name] != ""
    }
    problems = validate(schema, written, {}).problems
    found: dict[str, list[str]] = {}
    for problem in problems:
        name = problem.field.strip("/").split("/")[0]
        found.setdefault(f"spec.{name}" if name else "spec", []).append(problem.message)
    return found


def _object(properties: Mapping[str, JsonObject], required: Any) -> JsonObject:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(required) if isinstance(required, (list, tuple)) else [],
        "properties": dict(properties),
    }
