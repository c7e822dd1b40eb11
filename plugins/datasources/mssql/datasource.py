"""Queries of Microsoft SQL Server."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from math import ceil
from typing import Any, Final

import pymssql

from detectviz.contracts.config import get_text
from detectviz.contracts.datasource import DataQuery, DatasourceContext, Health, ResourceRequest
from detectviz.contracts.errors import (
    DeadlineExceededError,
    NetworkError,
    PluginError,
    QueryError,
)
from detectviz.contracts.frames import Frame
from detectviz.contracts.sql.connections import split_address, without_secrets
from detectviz.contracts.sql.health import healthy
from detectviz.contracts.sql.tables import Column, make_frames, read_statement, require_columns
from detectviz.contracts.sql.watch import Watch
from detectviz.contracts.types import JsonObject
from plugins.datasources.mssql.dialect import DIALECT, one_reading_statement

PORT: Final = 1433
_LONGEST_CONNECT_S: Final = 10
_BATCH_ROWS: Final = 500
# Numbers of FreeTDS for what is wrong with the connection, and of the server for a failed login.
_TIMED_OUT: Final = frozenset({20003})
_CONNECTION: Final = range(20000, 20100)
_DENIED: Final = frozenset({18452, 18456, 4060, 40615})
_ABOUT: Final = "SELECT CAST(SERVERPROPERTY('ProductVersion') AS nvarchar(50)), SUSER_SNAME()"
_WAYS_TO_WRITE: Final = """
SELECT DISTINCT 'has ' + permission_name FROM fn_my_permissions(NULL, 'DATABASE')
 WHERE permission_name IN ('INSERT', 'UPDATE', 'DELETE', 'EXECUTE', 'ALTER', 'CONTROL')
UNION SELECT 'is a sysadmin' WHERE IS_SRVROLEMEMBER('sysadmin') = 1
"""
_TABLES: Final = "SELECT TABLE_SCHEMA, TABLE_NAME FROM INFORMATION_SCHEMA.TABLES ORDER BY 1, 2"
_COLUMNS: Final = """
SELECT COLUMN_NAME, DATA_TYPE FROM INFORMATION_SCHEMA.COLUMNS
 WHERE TABLE_NAME = %s AND (TABLE_SCHEMA = %s OR %s = '') ORDER BY ORDINAL_POSITION
"""


class MssqlDatasource:
    """Asks by one statement that reads, in a session of its own."""

    def __init__(self, connect: Callable[..., Any] = pymssql.connect) -> None:
        self._connect = connect

    def query(self, query: DataQuery, context: DatasourceContext) -> Sequence[Frame]:
        """Return the rows of one statement that reads."""
        statement = read_statement(query, DIALECT)
        sql = one_reading_statement(statement.sql)
        watch = Watch(context)
        with self._cursor(context, watch) as cursor:
            cursor.execute(sql)
            columns = [Column(name=each[0] or "column") for each in cursor.description or ()]
            require_columns(columns)
            return make_frames(statement, columns, _rows(cursor), context, check=watch.check)

    def check_health(self, context: DatasourceContext) -> Health:
        """Connect, and warn about a login that can write."""
        try:
            ((version, login),) = self._ask(context, _ABOUT)
            ways = [str(row[0]) for row in self._ask(context, _WAYS_TO_WRITE)]
        except PluginError as error:
            return Health(status="error", message=error.message)
        return healthy(f"SQL Server {version}", role=str(login), ways_to_write=ways)

    def call_resource(self, request: ResourceRequest, context: DatasourceContext) -> JsonObject:
        """Return ``tables``, or the ``columns`` of the parameters ``table`` and ``schema``."""
        if request.path == "tables":
            rows = self._ask(context, _TABLES)
            return {"tables": [{"schema": str(row[0]), "name": str(row[1])} for row in rows]}
        if request.path == "columns":
            schema = request.parameters.get("schema", "")
            table = request.parameters.get("table", "")
            rows = self._ask(context, _COLUMNS, table, schema, schema)
            return {"columns": [{"name": str(row[0]), "type": str(row[1])} for row in rows]}
        raise QueryError("There is no such resource; use tables or columns.", status=404)

    def _ask(
        self, context: DatasourceContext, sql: str, *parameters: str
    ) -> Sequence[Sequence[Any]]:
        with self._cursor(context, Watch(context)) as cursor:
            cursor.execute(sql, parameters) if parameters else cursor.execute(sql)
            rows: Sequence[Sequence[Any]] = cursor.fetchall()
            return rows

    @contextmanager
    def _cursor(self, context: DatasourceContext, watch: Watch) -> Iterator[Any]:
        """Yield a cursor of a new session; what the driver raises comes out as our errors."""
        connection = self._session(context, watch)
        try:
            yield connection.cursor()
        except pymssql.Error as error:
            raise _translated(error, context, watch) from None
        finally:
            with suppress(pymssql.Error):
                connection.close()

    def _session(self, context: DatasourceContext, watch: Watch) -> Any:
        settings = context.settings
        host, port = split_address(settings.url, PORT)
        left_s = ceil(watch.left_s)
        try:
            return self._connect(
                server=context.connector.address(host, port),
                port=str(port),
                user=settings.user,
                password=settings.secrets.get("password", ""),
                database=settings.database,
                timeout=left_s,
                login_timeout=min(left_s, _LONGEST_CONNECT_S),
                charset="UTF-8",
                appname="detectviz",
                autocommit=True,
                use_datetime2=True,
                read_only=True,
                encryption=get_text(settings.json_data, "encryption", "require"),
            )
        except pymssql.Error as error:
            said = without_secrets(_said(error), settings.secrets)
            if _number(error) in _DENIED:
                raise PluginError(f"SQL Server refuses to let us in: {said}") from None
            raise NetworkError(f"No connection: {said}", phase="connect") from None


def _rows(cursor: Any) -> Iterator[Sequence[object]]:
    fetch: Callable[[int], Sequence[Sequence[object]]] = cursor.fetchmany
    while batch := fetch(_BATCH_ROWS):
        yield from batch


def _translated(error: Exception, context: DatasourceContext, watch: Watch) -> PluginError:
    reason = watch.reason()
    if reason is not None:
        return reason
    number, said = _number(error), without_secrets(_said(error), context.settings.secrets)
    if number in _TIMED_OUT:
        return DeadlineExceededError(f"The server did not answer in time: {said}", phase="receive")
    if number in _CONNECTION:
        return NetworkError(f"The connection broke: {said}", phase="receive")
    return QueryError(f"SQL Server refuses the statement: {said}")


def _number(error: Exception) -> int:
    first = error.args[0] if error.args else 0
    if isinstance(first, tuple) and first:
        first = first[0]
    return first if isinstance(first, int) else 0


def _said(error: Exception) -> str:
    last = error.args[-1] if error.args else ""
    if isinstance(last, tuple) and last:
        last = last[-1]
    text = last.decode("utf-8", "replace") if isinstance(last, bytes) else str(last)
    return text.partition("DB-Lib error")[0].strip() or type(error).__name__
