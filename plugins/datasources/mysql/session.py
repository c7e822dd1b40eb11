"""One guarded session with a MySQL or MariaDB server, for one call."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import date, datetime
from math import ceil
from typing import Any, Final

import pymysql
from pymysql.constants import FIELD_TYPE
from pymysql.converters import conversions, convert_date, convert_datetime
from pymysql.cursors import SSCursor

from detectviz.contracts.datasource import DatasourceContext
from detectviz.contracts.errors import (
    DeadlineExceededError,
    NetworkError,
    PluginError,
    QueryError,
)
from detectviz.contracts.frames import FieldType
from detectviz.contracts.sql.connections import TlsSettings, split_address, without_secrets
from detectviz.contracts.sql.tables import Column
from detectviz.contracts.sql.watch import Watch

PORT: Final = 3306
_LONGEST_CONNECT_S: Final = 10.0
_LONGEST_CANCEL_S: Final = 2
# Errors of connecting and of servers that are too busy; CR_ codes of clients begin at 2000.
_CLIENT_ERRORS: Final = 2000
_DENIED: Final = frozenset({1044, 1045, 1049, 1698, 3118, 3159, 4151})
_SERVERS_TROUBLE: Final = frozenset({1040, 1041, 1053, 1152, 1203, 1205, 1213, 1226})
_TIMED_OUT: Final = frozenset({1317, 1969, 3024})
_TYPES: Final = {
    **dict.fromkeys((0, 1, 2, 3, 4, 5, 8, 9, 13, 246), FieldType.NUMBER),
    **dict.fromkeys((7, 10, 12), FieldType.TIME),
    **dict.fromkeys((15, 16, 247, 248, 249, 250, 251, 252, 253, 254), FieldType.STRING),
    FIELD_TYPE.JSON: FieldType.OTHER,
}


def _moment(convert: Callable[[str], object]) -> Callable[[str], date | None]:
    def mapper(text: str) -> date | None:
        # What is no date, as 0000-00-00, comes out of the driver as text.
        value = convert(text)
        return value if isinstance(value, (date, datetime)) else None

    return mapper


_CONVERSIONS: Final[Mapping[Any, Any]] = {
    **conversions,
    FIELD_TYPE.DATE: _moment(convert_date),
    FIELD_TYPE.DATETIME: _moment(convert_datetime),
    FIELD_TYPE.TIMESTAMP: _moment(convert_datetime),
    FIELD_TYPE.JSON: json.loads,
}


class _NoCleartext:
    """Refuses to hand the password to a server that asks for it as it is."""

    def __init__(self, connection: object) -> None:
        pass

    def authenticate(self, packet: object) -> None:
        """Refuse."""
        raise pymysql.OperationalError(
            1045, "the server asks for the password in clear text; set TLS to a verifying mode"
        )


@contextmanager
def session(context: DatasourceContext, watch: Watch) -> Iterator["pymysql.Connection[SSCursor]"]:
    """Yield a new session that cannot write and that the server stops at the time limit.

    Raise QueryError for what the server refuses, NetworkError when there is no connection.
    """
    try:
        connection = _connect(context, min(watch.left_s, _LONGEST_CONNECT_S), watch.left_s + 1)
    except pymysql.Error as error:
        said = without_secrets(_said(error), context.settings.secrets)
        if _code(error) in _DENIED:
            raise PluginError(f"The server refuses to let us in: {said}") from None
        raise NetworkError(f"No connection: {said}", phase="connect") from None
    thread = connection.thread_id()
    with watch.cancelling(lambda: _kill(context, thread)):
        try:
            _prepare_session(connection, watch)
            yield connection
        except pymysql.Error as error:
            raise _translated(error, context, watch) from None
        finally:
            with suppress(Exception):
                connection.close()


@contextmanager
def rows(
    connection: "pymysql.Connection[SSCursor]", sql: str, context: DatasourceContext
) -> Iterator[tuple[list[Column], Iterator[tuple[Any, ...]]]]:
    """Yield the columns and rows of one statement, prepared by the server.

    PREPARE takes one command; a text of several is a syntax error. What is not read is not sent.
    """
    text = sql.encode().hex()
    with connection.cursor() as setting:
        setting.execute(f"SET @detectviz = CONVERT(0x{text} USING utf8mb4)")
        setting.execute("PREPARE detectviz FROM @detectviz")
    cursor = connection.cursor()
    try:
        cursor.execute("EXECUTE detectviz")
        columns = [
            Column(name=each[0], type=_TYPES.get(each[1])) for each in cursor.description or ()
        ]
        yield columns, cursor.fetchall_unbuffered() if columns else iter(())
    finally:
        _finish(cursor, context, connection.thread_id())


def _finish(cursor: SSCursor, context: DatasourceContext, thread: int) -> None:
    """Close a cursor without reading the rest of a long answer: the server is told to stop."""
    result = cursor._result  # noqa: SLF001 - the driver has no other word for "not read to its end"
    if result is not None and result.unbuffered_active:
        with suppress(PluginError, pymysql.Error):
            _kill(context, thread)
    with suppress(pymysql.Error):
        cursor.close()


def _connect(
    context: DatasourceContext, connect_s: float, read_s: float
) -> "pymysql.Connection[SSCursor]":
    settings = context.settings
    host, port = split_address(settings.url, PORT)
    tls = TlsSettings.read(settings)
    is_verified = tls.mode.startswith("verify")
    return pymysql.connect(
        host=context.connector.address(host, port),
        port=port,
        user=settings.user,
        password=settings.secrets.get("password", "").encode(),
        database=settings.database or None,
        charset="utf8mb4",
        conv=dict(_CONVERSIONS),
        cursorclass=SSCursor,
        connect_timeout=max(1, ceil(connect_s)),
        read_timeout=max(1, ceil(read_s)),
        write_timeout=max(1, ceil(read_s)),
        program_name="detectviz",
        ssl=tls.context(host) if tls.mode not in {"disable", "prefer"} else None,
        ssl_disabled=tls.mode == "disable",
        auth_plugin_map={} if is_verified else {"mysql_clear_password": _NoCleartext},
    )


def _prepare_session(connection: "pymysql.Connection[SSCursor]", watch: Watch) -> None:
    limit_s = watch.left_s
    limit = f"max_execution_time = {ceil(limit_s * 1000)}"
    if "mariadb" in connection.get_server_info().lower():
        limit = f"max_statement_time = {limit_s:.3f}"
    with connection.cursor() as cursor:
        cursor.execute(f"SET SESSION {limit}, time_zone = '+00:00'")
        cursor.execute("SET SESSION TRANSACTION READ ONLY")
        cursor.execute("START TRANSACTION READ ONLY")


def _kill(context: DatasourceContext, thread: int) -> None:
    connection = _connect(context, _LONGEST_CANCEL_S, _LONGEST_CANCEL_S)
    with connection, connection.cursor() as cursor:
        cursor.execute(f"KILL QUERY {thread:d}")


def _translated(error: pymysql.Error, context: DatasourceContext, watch: Watch) -> PluginError:
    reason = watch.reason()
    if reason is not None:
        return reason
    code, said = _code(error), without_secrets(_said(error), context.settings.secrets)
    if code in _TIMED_OUT:
        return DeadlineExceededError(f"The server stopped the statement: {said}", phase="receive")
    if isinstance(error, pymysql.InterfaceError) or code >= _CLIENT_ERRORS and code < 3000:  # noqa: PLR2004, RUF021 - the range of client errors
        return NetworkError(f"The connection broke: {said}", phase="receive")
    if code in _SERVERS_TROUBLE:
        return PluginError(f"The server cannot answer: {said}")
    return QueryError(f"The server refuses the statement: {said}")


def _code(error: pymysql.Error) -> int:
    code = error.args[0] if error.args else 0
    return code if isinstance(code, int) else 0


def _said(error: pymysql.Error) -> str:
    return str(error.args[-1]) if error.args else type(error).__name__
