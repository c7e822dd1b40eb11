"""Queries of MySQL and MariaDB."""

from collections.abc import Sequence
from typing import Any, Final

from detectviz.contracts.datasource import DataQuery, DatasourceContext, Health, ResourceRequest
from detectviz.contracts.errors import PluginError, QueryError
from detectviz.contracts.frames import Frame
from detectviz.contracts.sql.health import healthy
from detectviz.contracts.sql.tables import make_frames, read_statement, require_columns
from detectviz.contracts.sql.watch import Watch
from detectviz.contracts.types import JsonObject
from plugins.datasources.mysql.dialect import DIALECT
from plugins.datasources.mysql.session import Sessions

_ABOUT: Final = """
SELECT VERSION(), CURRENT_USER(), COALESCE((SELECT VARIABLE_VALUE
  FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME = 'Ssl_cipher'), '')
"""
_ABOUT_MYSQL: Final = "SELECT VERSION(), CURRENT_USER(), NULL"
_PRIVILEGES: Final = """
SELECT DISTINCT privilege_type FROM (
  SELECT grantee, privilege_type FROM information_schema.user_privileges
  UNION SELECT grantee, privilege_type FROM information_schema.schema_privileges
  UNION SELECT grantee, privilege_type FROM information_schema.table_privileges
  UNION SELECT grantee, privilege_type FROM information_schema.column_privileges) p
 WHERE grantee = CONCAT('\\'', REPLACE(CURRENT_USER(), '@', '\\'@\\''), '\\'')
"""
_HARMLESS: Final = frozenset(
    {
        "USAGE", "SELECT", "SHOW DATABASES", "SHOW VIEW", "PROCESS", "REFERENCES",
        "REPLICATION CLIENT", "BINLOG MONITOR", "SLAVE MONITOR", "SHOW CREATE ROUTINE",
    }
)  # fmt: skip
_TABLES: Final = """
SELECT table_schema, table_name FROM information_schema.tables
 WHERE table_schema NOT IN ('mysql', 'information_schema', 'performance_schema', 'sys')
 ORDER BY 1, 2
"""
_COLUMNS: Final = """
SELECT column_name, data_type FROM information_schema.columns
 WHERE table_name = %s AND (table_schema = %s OR (%s = '' AND table_schema = DATABASE()))
 ORDER BY ordinal_position
"""
_MOST_NAMED: Final = 4


class MysqlDatasource:
    """Asks by one prepared statement, in a clean session that cannot write."""

    def query(self, query: DataQuery, context: DatasourceContext) -> Sequence[Frame]:
        """Return the rows of one statement that reads."""
        statement = read_statement(query, DIALECT)
        watch = Watch(context)
        sessions = _sessions(context)
        with (
            sessions.session(context, watch) as connection,
            sessions.rows(connection, statement.sql, context) as (columns, found),
        ):
            require_columns(columns)
            return make_frames(statement, columns, found, context, check=watch.check)

    def check_health(self, context: DatasourceContext) -> Health:
        """Connect, and warn about a role that can write."""
        try:
            version, role, cipher = _about(context)
            ways = sorted({row[0] for row in _ask(context, _PRIVILEGES)} - _HARMLESS)
        except PluginError as error:
            return Health(status="error", message=error.message)
        named = [f"has {way}" for way in ways[:_MOST_NAMED]]
        return healthy(
            version if "maria" in version.lower() else f"MySQL {version}",
            role=role,
            ways_to_write=named,
            is_encrypted=None if cipher is None else bool(cipher),
        )

    def call_resource(self, request: ResourceRequest, context: DatasourceContext) -> JsonObject:
        """Return ``tables``, or the ``columns`` of the parameters ``table`` and ``schema``."""
        if request.path == "tables":
            return {
                "tables": [{"schema": row[0], "name": row[1]} for row in _ask(context, _TABLES)]
            }
        if request.path == "columns":
            schema = request.parameters.get("schema", "")
            table = request.parameters.get("table", "")
            found = _ask(context, _COLUMNS, table, schema, schema)
            return {"columns": [{"name": row[0], "type": row[1]} for row in found]}
        raise QueryError("There is no such resource; use tables or columns.", status=404)


def _about(context: DatasourceContext) -> tuple[str, str, str | None]:
    """Return version, role and TLS cipher; MySQL does not tell the cipher by a table."""
    try:
        ((version, role, cipher),) = _ask(context, _ABOUT)
    except QueryError:
        ((version, role, cipher),) = _ask(context, _ABOUT_MYSQL)
    return str(version), str(role), cipher


def _sessions(context: DatasourceContext) -> Sessions:
    return context.instances.get(lambda: Sessions(context), Sessions.close)


def _ask(context: DatasourceContext, sql: str, *parameters: str) -> list[tuple[Any, ...]]:
    with (
        _sessions(context).session(context, Watch(context)) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(sql, parameters or None)
        return list(cursor.fetchall())
