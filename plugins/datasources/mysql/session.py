"""Guarded sessions with a MySQL or MariaDB server."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import date, datetime
from functools import partial
from math import ceil
from typing import Any, Final, TypeAlias

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
from detectviz.contracts.sql.pool import SessionPool
from detectviz.contracts.sql.tables import Column
from detectviz.contracts.sql.watch import Watch

PORT: Final = 3306
_LONGEST_CONNECT_S: Final = 10.0
_LONGEST_CANCEL_S: Final = 2
_COM_RESET_CONNECTION: Final = 0x1F  # MySQL 5.7.3, MariaDB 10.2.4
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


Session: TypeAlias = "pymysql.Connection[SSCursor]"


class Sessions:
    """The sessions of one datasource, and the trust their TLS needs."""

    def __init__(self, context: DatasourceContext) -> None:
        self._settings = context.settings
        self._address = split_address(context.settings.url, PORT)
        self._tls = TlsSettings.read(context.settings)
        # Made once: reading the system's authorities takes longer than connecting.
        is_off = self._tls.mode == "disable"
        self._trust = None if is_off else self._tls.context(self._address[0])
        self._pool: SessionPool[Session] = SessionPool(reset=_reset, close=_close)

    def close(self) -> None:
        """Close idle sessions."""
        self._pool.close()

    @contextmanager
    def session(self, context: DatasourceContext, watch: Watch) -> Iterator[Session]:
        """Yield a session that cannot write and that the server stops at the time limit.

        Raise QueryError for what the server refuses, NetworkError when there is no connection.
        """
        connect = partial(self._connect_in_time, context, watch)
        try:
            with self._pool.session(connect, partial(_begin, watch=watch)) as connection:
                thread = connection.thread_id()
                with watch.cancelling(lambda: self._kill(context, thread)):
                    yield connection
        except pymysql.Error as error:
            raise _translated(error, context, watch) from None

    @contextmanager
    def rows(
        self, connection: Session, sql: str, context: DatasourceContext
    ) -> Iterator[tuple[list[Column], Iterator[tuple[Any, ...]]]]:
        """Yield the columns and rows of one statement, prepared by the server.

        PREPARE takes one command; a text of several is a syntax error. What is not read is not
        sent.
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
            self._finish(cursor, context, connection.thread_id())

    def _finish(self, cursor: SSCursor, context: DatasourceContext, thread: int) -> None:
        """Close a cursor without reading a long answer's rest: the server is told to stop."""
        result = cursor._result  # noqa: SLF001 - the driver has no other word for "not read to its end"
        if result is not None and result.unbuffered_active:
            with suppress(PluginError, pymysql.Error):
                self._kill(context, thread)
        with suppress(pymysql.Error):
            cursor.close()

    def _kill(self, context: DatasourceContext, thread: int) -> None:
        connection = self._connect(context, _LONGEST_CANCEL_S, _LONGEST_CANCEL_S)
        with connection, connection.cursor() as cursor:
            cursor.execute(f"KILL QUERY {thread:d}")

    def _connect_in_time(self, context: DatasourceContext, watch: Watch) -> Session:
        try:
            return self._connect(context, min(watch.left_s, _LONGEST_CONNECT_S), watch.left_s + 1)
        except pymysql.Error as error:
            said = without_secrets(_said(error), self._settings.secrets)
            if _code(error) in _DENIED:
                raise PluginError(f"The server refuses to let us in: {said}") from None
            raise NetworkError(f"No connection: {said}", phase="connect") from None

    def _connect(self, context: DatasourceContext, connect_s: float, read_s: float) -> Session:
        host, port = self._address
        is_verified = self._tls.mode.startswith("verify")
        connection: Session = pymysql.connect(
            host=context.connector.address(host, port),
            port=port,
            user=self._settings.user,
            password=self._settings.secrets.get("password", "").encode(),
            database=self._settings.database or None,
            charset="utf8mb4",
            conv=dict(_CONVERSIONS),
            cursorclass=SSCursor,
            connect_timeout=max(1, ceil(connect_s)),
            read_timeout=max(1, ceil(read_s)),
            write_timeout=max(1, ceil(read_s)),
            program_name="detectviz",
            ssl=self._trust,
            ssl_disabled=self._trust is None,
            auth_plugin_map={} if is_verified else {"mysql_clear_password": _NoCleartext},
            defer_connect=True,
        )
        # Left to itself, the driver reads all authorities for each connection of this mode.
        connection._ssl_required = self._tls.mode not in {"disable", "prefer"}  # noqa: SLF001 - it has no option for a context that is not required
        connection.connect()
        return connection


def _begin(connection: Session, *, watch: Watch) -> None:
    limit_s = watch.left_s
    limit = f"max_execution_time = {ceil(limit_s * 1000)}"
    if "mariadb" in connection.get_server_info().lower():
        limit = f"max_statement_time = {limit_s:.3f}"
    # The session may be kept from a call with another limit, and the driver has no setter.
    connection._read_timeout = connection._write_timeout = max(1, ceil(limit_s + 1))  # noqa: SLF001 - see above
    with connection.cursor() as cursor:
        cursor.execute(f"SET SESSION {limit}, time_zone = '+00:00'")
        cursor.execute("SET SESSION TRANSACTION READ ONLY")
        cursor.execute("START TRANSACTION READ ONLY")


def _reset(connection: Session) -> None:
    """Make the session as new: settings, locks, temporary tables, prepared statements."""
    connection._execute_command(_COM_RESET_CONNECTION, "")  # noqa: SLF001 - the driver has no method for it
    connection._read_ok_packet()  # noqa: SLF001 - nor for its answer
    connection.set_character_set("utf8mb4")


def _close(connection: Session) -> None:
    with suppress(Exception):
        connection.close()


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
