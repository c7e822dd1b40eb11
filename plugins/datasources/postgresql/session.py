"""One guarded session with a PostgreSQL server."""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from math import ceil
from typing import Any, Final, TypeVar

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.waiting import Ready, Wait

from detectviz.contracts.datasource import DatasourceContext
from detectviz.contracts.errors import NetworkError, PluginError, QueryError
from detectviz.contracts.frames import FieldType
from detectviz.contracts.sql.connections import TlsSettings, split_address, without_secrets
from detectviz.contracts.sql.pool import SessionPool
from detectviz.contracts.sql.tables import Column
from detectviz.contracts.sql.watch import Watch

T = TypeVar("T")
PORT: Final = 5432
_CHUNK_ROWS: Final = 500
_NO_FILE: Final = "/nonexistent/none.pem"
_CANCEL_S: Final = 2.0
_WAKE_S: Final = 0.1
_LONGEST_CONNECT_S: Final = 10
# Errors of these classes are the server's trouble, not the query's.
_SERVERS_TROUBLE: Final = ("08", "53", "57", "58", "XX")
_TYPES: Final = {
    **dict.fromkeys((20, 21, 23, 26, 700, 701, 1700), FieldType.NUMBER),
    **dict.fromkeys((1082, 1114, 1184), FieldType.TIME),
    **dict.fromkeys((17, 18, 19, 25, 1042, 1043, 2950), FieldType.STRING),
    **dict.fromkeys((114, 3802), FieldType.OTHER),
    16: FieldType.BOOLEAN,
}


class GuardedConnection(psycopg.Connection[tuple[Any, ...]]):
    """A connection whose every wait ends when ``watch`` says so."""

    watch: Watch | None = None

    def wait(
        self,
        gen: Generator[Wait, Ready | int, T],
        interval: float = _WAKE_S,
        timeout: float | None = None,
    ) -> T:
        """Wait for ``gen``, looking at the watch ten times a second."""
        return super().wait(self._watched(gen), min(interval, _WAKE_S), timeout)

    def _watched(self, gen: Generator[Wait, Ready | int, T]) -> Generator[Wait, Ready | int, T]:
        try:
            state = next(gen)
            while True:
                ready = yield state
                self._check()
                state = gen.send(ready)
        except StopIteration as stop:
            result: T = stop.value
            return result

    def _check(self) -> None:
        reason = self.watch.reason() if self.watch else None
        if reason is None:
            return
        # The server is told once; what it answers is of no interest, the connection is closed.
        self.watch = None
        with suppress(psycopg.Error):
            self.cancel_safe(timeout=_CANCEL_S)
        self.pgconn.finish()
        raise reason


class Sessions:
    """The sessions of one datasource, with the files its TLS needs."""

    def __init__(self, context: DatasourceContext) -> None:
        settings = context.settings
        self._tls = TlsSettings.read(settings)
        self._password = settings.secrets.get("password", "")
        self._settings = settings
        self._address = split_address(settings.url, PORT)
        self._stack = ExitStack()
        self._files = self._stack.enter_context(self._tls.files())
        self._pool: SessionPool[GuardedConnection] = SessionPool(
            reset=_reset, close=GuardedConnection.close
        )

    def close(self) -> None:
        """Close idle sessions and remove the files."""
        self._pool.close()
        self._stack.close()

    def use(
        self, context: DatasourceContext, watch: Watch, work: Callable[[GuardedConnection], T]
    ) -> T:
        """Return ``work`` of a session inside of a transaction that cannot write.

        Raise QueryError for what the server refuses, NetworkError when there is no connection.
        """
        try:
            begin = partial(_begin, watch=watch)
            with self._pool.session(lambda: self._connect(context), begin) as session:
                result = work(session)
                session.watch = None
                return result
        except psycopg.Error as error:
            raise self._translated(error, watch) from None

    def _connect(self, context: DatasourceContext) -> GuardedConnection:
        host, port = self._address
        seconds = max(2, min(_LONGEST_CONNECT_S, ceil(context.timeout_s)))
        # hostaddr is what is connected to; host is what TLS verifies.
        parameters: dict[str, Any] = {
            "host": host,
            "hostaddr": context.connector.address(host, port),
            "port": port,
            "user": self._settings.user,
            "dbname": self._settings.database or self._settings.user,
            "password": self._password,
            "connect_timeout": seconds,
            "application_name": "detectviz",
            "client_encoding": "UTF8",
            "sslmode": self._tls.mode,
            "sslrootcert": self._files.ca or ("system" if self._tls.mode == "verify-full" else ""),
            # Without a name libpq would read certificates of the account it runs under.
            "sslcert": self._files.certificate or _NO_FILE,
            "sslkey": self._files.key or _NO_FILE,
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 3,
            "passfile": _NO_FILE,
            "gssencmode": "disable",
        }
        try:
            return GuardedConnection.connect(
                make_conninfo(**{name: value for name, value in parameters.items() if value != ""}),
                autocommit=True,
                prepare_threshold=None,
            )
        except psycopg.Error as error:
            said = without_secrets(str(error).partition("\n")[0], self._settings.secrets)
            raise NetworkError(f"No connection: {said}", phase="connect") from None

    def _translated(self, error: psycopg.Error, watch: Watch) -> PluginError:
        reason = watch.reason()
        if reason is not None:
            return reason
        said = without_secrets(str(error).partition("\n")[0], self._settings.secrets)
        state = error.sqlstate or ""
        if isinstance(error, psycopg.OperationalError) and not state:
            return NetworkError(f"The connection broke: {said}", phase="receive")
        if state.startswith(_SERVERS_TROUBLE):
            return PluginError(f"PostgreSQL cannot answer: {said}")
        return QueryError(f"PostgreSQL refuses the statement: {said}")


def read_rows(
    session: GuardedConnection, sql: str
) -> tuple[list[Column], Generator[tuple[Any, ...], None, None]]:
    """Return the columns and rows of one prepared statement, read in chunks.

    The extended protocol takes one command; a text of several is a syntax error of the server.
    """
    cursor = session.cursor()
    # Our text is the operator's own; it has no parameters to be filled in.
    rows = cursor.stream(sql.encode(), size=_CHUNK_ROWS)
    first: Sequence[tuple[Any, ...]] = [row for row in [next(rows, None)] if row is not None]
    columns = [
        Column(name=each.name, type=_TYPES.get(each.type_code)) for each in cursor.description or ()
    ]
    return columns, _chain(first, rows)


def _chain(
    first: Sequence[tuple[Any, ...]], rows: Iterator[tuple[Any, ...]]
) -> Generator[tuple[Any, ...], None, None]:
    yield from first
    yield from rows


def _begin(session: GuardedConnection, *, watch: Watch) -> None:
    session.watch = watch
    limit_ms = ceil(watch.left_s * 1000)
    session.execute(f"BEGIN READ ONLY; SET LOCAL statement_timeout = {limit_ms}")


def _reset(session: GuardedConnection) -> None:
    """Make the session as new: settings, locks, temporary tables, listeners."""
    session.execute("ROLLBACK")
    session.execute("DISCARD ALL")
