"""Queries of Redis."""

from collections.abc import Sequence

from detectviz.contracts.datasource import DataQuery, DatasourceContext, Health, ResourceRequest
from detectviz.contracts.errors import PluginError, QueryError
from detectviz.contracts.frames import Frame
from detectviz.contracts.sql.connections import TlsSettings
from detectviz.contracts.types import JsonObject
from plugins.datasources.redis.commands import read, read_info
from plugins.datasources.redis.session import session

_MOST_KEYS = 1_000
_PAGE = 500


class RedisDatasource:
    """Sends commands that read, one session for each call."""

    def query(self, query: DataQuery, context: DatasourceContext) -> Sequence[Frame]:
        """Return what one command replies."""
        with session(context) as ask:
            return read(query, context, ask)

    def check_health(self, context: DatasourceContext) -> Health:
        """Sign in and ask for the version."""
        try:
            with session(context) as ask:
                about = {name: value for _, name, value in read_info(str(ask("INFO", "server")))}
        except PluginError as error:
            return Health(status="error", message=error.message)
        version = about.get("redis_version", "unknown version")
        message = f"Connected to Redis {version}."
        if TlsSettings.read(context.settings).mode in {"disable", "prefer"}:
            message += " WARNING: the connection is not encrypted."
        return Health(status="ok", message=message, details={"version": version})

    def call_resource(self, request: ResourceRequest, context: DatasourceContext) -> JsonObject:
        """Return the first ``keys`` that the parameter ``match`` (a glob) matches."""
        if request.path != "keys":
            raise QueryError("There is no such resource; use keys.", status=404)
        match, cursor, keys = request.parameters.get("match", "*"), "0", set[str]()
        with session(context) as ask:
            while True:
                cursor, found = ask("SCAN", cursor, "MATCH", match, "COUNT", _PAGE)
                keys |= set(found)
                if cursor == "0" or len(keys) >= _MOST_KEYS:
                    return {"keys": sorted(keys)[:_MOST_KEYS]}
