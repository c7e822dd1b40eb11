"""Datasources and queries in Grafana's words."""

import zlib
from typing import Any

from apps.datasources.models import Datasource
from apps.datasources.services.grafana_models import TYPES


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
