"""Datasources for tests, and a datasource plugin that needs no server."""

import json
from pathlib import Path
from typing import Any

from apps.datasources.models import Datasource
from apps.orgs.models import Org
from detectviz.pluginhost.host import PluginHost
from detectviz.pluginhost.pipeline import scan
from detectviz.pluginhost.sources import FolderSource

SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Shelf",
    "type": "object",
    "additionalProperties": False,
    "x-connection": {
        "type": "object",
        "additionalProperties": False,
        "required": ["url"],
        "properties": {
            "url": {"type": "string", "title": "Address", "pattern": "^[^ ]+$"},
            "user": {"type": "string"},
            "database": {"type": "string"},
        },
    },
    "properties": {
        "depth": {"type": "integer", "minimum": 1, "default": 3, "title": "Depth"},
        "via": {"type": "string", "default": "", "title": "Via", "x-target": True},
        "password": {"type": "string", "writeOnly": True, "title": "Password"},
    },
}
QUERY_SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Shelf query",
    "type": "object",
    "additionalProperties": False,
    "properties": {"text": {"type": "string", "default": "", "title": "Text"}},
}
MANIFEST = """\
api_version: detectviz/v1
name: shelf
kind: datasources
version: 1.0.0
title: Shelf
description: Answers what it is asked.
category: core
engine_version: ">=0.1,<1"
capability: datasource:ShelfDatasource
permissions: {network: [http], secrets: [password], series: [read]}
"""
CODE = '''\
"""A datasource for tests."""

from detectviz.contracts.datasource import Health, ProxyRoute
from detectviz.contracts.errors import PluginError, QueryError
from detectviz.contracts.frames import Field, FieldType, Frame


class ShelfDatasource:
    """Answers what it is asked."""

    proxy_routes = (
        ProxyRoute(method="GET", path="api/v1/(labels|query)"),
        ProxyRoute(method="GET", path="moved"),
        ProxyRoute(method="POST", path="api/v1/query"),
    )

    def query(self, query, context):
        """Say the depth."""
        values = [context.settings.json_data["depth"]]
        return [Frame(fields=(Field(name="depth", type=FieldType.NUMBER, values=values),))]

    def check_health(self, context):
        """Say what the database is called; one called raises raises."""
        if context.settings.database == "raises":
            raise RuntimeError("inner words with hush")
        if context.settings.database == "refuses":
            raise PluginError("the shelf is closed")
        status = "error" if context.settings.database == "bad" else "ok"
        return Health(status=status, message=f"{context.settings.database} is {status}")

    def call_resource(self, request, context):
        """Say what was asked."""
        if request.path == "gone":
            raise QueryError("no such drawer", status=404)
        return {
            "path": request.path,
            "method": request.method,
            "parameters": dict(request.parameters),
            "body": dict(request.body),
        }

    def proxy_headers(self, context):
        """Authenticate."""
        return [("Authorization", "Bearer " + context.settings.secrets.get("password", ""))]
'''


def shelf_host(folder: Path) -> PluginHost:
    """Write a plugin ``datasources/shelf`` below ``folder`` and return its host."""
    plugin = folder / "datasources" / "shelf"
    plugin.mkdir(parents=True)
    (plugin / "__init__.py").write_text("", encoding="utf-8")
    (plugin / "README.md").write_text("# Shelf\n", encoding="utf-8")
    (plugin / "plugin.yaml").write_text(MANIFEST, encoding="utf-8")
    (plugin / "config.schema.json").write_text(json.dumps(SCHEMA), encoding="utf-8")
    (plugin / "query.schema.json").write_text(json.dumps(QUERY_SCHEMA), encoding="utf-8")
    (plugin / "datasource.py").write_text(CODE, encoding="utf-8")
    return PluginHost(scan([FolderSource(folder=folder)]))


def make_datasource(org: Org, name: str = "warehouse", **fields: Any) -> Datasource:
    """Return a datasource of the plugin ``shelf``."""
    values: dict[str, Any] = {
        "title": "Warehouse",
        "type": "shelf",
        "url": "http://127.0.0.1:9",
        "json_data": {"depth": 3, "via": ""},
        "secure_json_data": {"password": "hush"},
    }
    row: Datasource = Datasource.objects.create_for(org, name=name, **(values | fields))
    return row
