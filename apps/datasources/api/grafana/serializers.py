"""Datasources and queries in Grafana's words."""

import zlib
from collections.abc import Mapping
from typing import Any

from apps.datasources.models import Datasource
from detectviz.contracts.types import JsonObject
from detectviz.queries.document import snake_case

# Where Grafana's plugin has another name.
TYPES: Mapping[str, str] = {
    "postgresql": "grafana-postgresql-datasource",
    "testdata": "grafana-testdata-datasource",
    "clickhouse": "grafana-clickhouse-datasource",
}
# What Grafana's query editors call the text of a query, where no rule leads to our name.
_OTHER_NAMES: Mapping[str, tuple[str, ...]] = {
    "raw_sql": ("sql", "query"),
    "raw_query_string": ("sql", "query"),
    "scenario_id": ("scenario",),
    "legend_format": ("legend",),
    "expr": ("expr", "query"),
    "query": ("query", "expr"),
    "target": ("target", "query"),
}


def datasource_json(row: Datasource, *, is_listed: bool) -> dict[str, Any]:
    """Return a datasource as Grafana shows it: which secrets are set, never what they are."""
    found: dict[str, Any] = {
        "id": row.pk,
        "uid": row.uid,
        "orgId": row.org_id,
        "name": row.name,
        "type": TYPES.get(row.type, row.type),
        "typeName": row.title or row.name,
        "typeLogoUrl": "",
        "access": row.access,
        "url": row.url,
        "user": row.user,
        "database": row.database,
        "basicAuth": row.basic_auth,
        "isDefault": row.is_default,
        "jsonData": dict(row.json_data),
        "readOnly": row.read_only,
    }
    if is_listed:
        return found
    return found | {
        "basicAuthUser": row.basic_auth_user,
        "withCredentials": False,
        "secureJsonFields": dict.fromkeys(sorted(row.secure_json_data), True),
        "version": row.resource_version,
        "apiVersion": "",
    }


def user_json(request: Any, org: Any, *, is_admin: bool) -> dict[str, Any]:
    """Return who asks; programs have no e-mail."""
    user = request.user
    login = str(getattr(user, "username", "") or user)
    return {
        "id": getattr(user, "pk", 0) or 0,
        "uid": f"u{zlib.crc32(login.encode()):08x}",
        "login": login,
        "name": login,
        "email": getattr(user, "email", "") or "",
        "theme": "",
        "orgId": org.pk,
        "isGrafanaAdmin": is_admin,
        "isDisabled": False,
        "isExternal": False,
    }


def own_model(model: JsonObject, schema: JsonObject) -> JsonObject:
    """Return a query of Grafana's editors as the plugin's schema spells it.

    What the schema does not know is the editor's own state and left out.
    """
    properties = schema.get("properties")
    known = properties if isinstance(properties, Mapping) else {}
    found: dict[str, Any] = {}
    for name, value in model.items():
        snake = snake_case(name)
        for candidate in (name, snake, *_OTHER_NAMES.get(snake, ())):
            if candidate in known and candidate not in found:
                found[candidate] = value
                break
    return found
