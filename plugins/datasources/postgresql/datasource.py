"""Queries of PostgreSQL."""

from collections.abc import Sequence
from contextlib import closing
from typing import Any, Final

from detectviz.contracts.datasource import DataQuery, DatasourceContext, Health, ResourceRequest
from detectviz.contracts.errors import PluginError, QueryError
from detectviz.contracts.frames import Frame
from detectviz.contracts.sql.health import healthy
from detectviz.contracts.sql.tables import make_frames, read_statement, require_columns
from detectviz.contracts.sql.watch import Watch
from detectviz.contracts.types import JsonObject
from plugins.datasources.postgresql.dialect import DIALECT
from plugins.datasources.postgresql.session import GuardedConnection, Sessions, read_rows

_ABOUT: Final = """
SELECT current_setting('server_version'), current_user::text,
       coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false)
"""
_WAYS_TO_WRITE: Final = """
SELECT 'is a superuser' WHERE (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
UNION ALL SELECT 'is a member of ' || rolname FROM pg_roles
 WHERE rolname IN ('pg_write_all_data', 'pg_write_server_files', 'pg_read_server_files',
                   'pg_execute_server_program')
   AND pg_has_role(oid, 'MEMBER')
   AND NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
UNION ALL (SELECT 'may change ' || c.oid::regclass::text
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'v', 'f') AND n.nspname <> 'information_schema'
   AND n.nspname NOT LIKE 'pg\\_%'
   AND has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE') LIMIT 3)
UNION ALL (SELECT 'may create tables in ' || nspname FROM pg_namespace
 WHERE nspname NOT LIKE 'pg\\_%' AND has_schema_privilege(oid, 'CREATE') LIMIT 3)
"""
_TABLES: Final = """
SELECT table_schema, table_name FROM information_schema.tables
 WHERE table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2
"""
_COLUMNS: Final = """
SELECT column_name, data_type FROM information_schema.columns
 WHERE table_name = %s
   AND (table_schema = %s OR (%s = '' AND table_schema = ANY(current_schemas(false))))
 ORDER BY ordinal_position
"""


class PostgresqlDatasource:
    """Asks by one prepared statement, in a transaction that cannot write, in a clean session."""

    def query(self, query: DataQuery, context: DatasourceContext) -> Sequence[Frame]:
        """Return the rows of one statement that reads."""
        statement = read_statement(query, DIALECT)
        watch = Watch(context)

        def work(session: GuardedConnection) -> list[Frame]:
            columns, rows = read_rows(session, statement.sql)
            require_columns(columns)
            with closing(rows):
                return make_frames(statement, columns, rows, context, check=watch.check)

        return _sessions(context).use(context, watch, work)

    def check_health(self, context: DatasourceContext) -> Health:
        """Connect, and warn about a role that can write."""
        try:
            ((version, role, is_encrypted),) = _ask(context, _ABOUT)
            ways = [row[0] for row in _ask(context, _WAYS_TO_WRITE)]
        except PluginError as error:
            return Health(status="error", message=error.message)
        return healthy(
            f"PostgreSQL {version}", role=role, ways_to_write=ways, is_encrypted=is_encrypted
        )

    def call_resource(self, request: ResourceRequest, context: DatasourceContext) -> JsonObject:
        """Return ``tables``, or the ``columns`` of the parameters ``table`` and ``schema``."""
        if request.path == "tables":
            rows = _ask(context, _TABLES)
            return {"tables": [{"schema": row[0], "name": row[1]} for row in rows]}
        if request.path == "columns":
            schema = request.parameters.get("schema", "")
            rows = _ask(context, _COLUMNS, request.parameters.get("table", ""), schema, schema)
            return {"columns": [{"name": row[0], "type": row[1]} for row in rows]}
        raise QueryError("There is no such resource; use tables or columns.", status=404)


def _sessions(context: DatasourceContext) -> Sessions:
    return context.instances.get(lambda: Sessions(context), Sessions.close)


def _ask(context: DatasourceContext, sql: str, *parameters: str) -> list[tuple[Any, ...]]:
    def work(session: GuardedConnection) -> list[tuple[Any, ...]]:
        return session.execute(sql.encode(), parameters or None).fetchmany(context.max_rows)

    return _sessions(context).use(context, Watch(context), work)
