"""A stand-in for pymssql: sessions with a server that knows a few statements."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import pymssql

PASSWORD: Final = "reader-secret-71"
BEGIN: Final = datetime(2026, 1, 15, 11, tzinfo=UTC).replace(tzinfo=None)
Rows = list[tuple[Any, ...]]


def _series() -> Rows:
    return [
        (BEGIN + timedelta(minutes=10 * n), host, Decimal(n)) for n in range(6) for host in "ab"
    ]


class Cursor:
    """One cursor; rows come out of it in batches."""

    def __init__(self, database: str) -> None:
        self._database = database
        self._rows: Rows = []
        self.description: list[tuple[str]] = []

    def execute(self, sql: str, parameters: Sequence[str] = ()) -> None:
        names, self._rows = self._answer(sql.strip())
        self.description = [(name,) for name in names]

    def fetchmany(self, size: int) -> Rows:
        taken, self._rows = self._rows[:size], self._rows[size:]
        return taken

    def fetchall(self) -> Rows:
        return self.fetchmany(len(self._rows))

    def _answer(self, sql: str) -> tuple[Sequence[str], Rows]:
        if "no_such" in sql:
            raise pymssql.ProgrammingError(
                207, b"Invalid column name 'no_such'.DB-Lib error message 20018, severity 16"
            )
        if "slow" in sql:
            raise pymssql.OperationalError(20003, b"Adaptive Server connection timed out")
        if sql.startswith("SELECT count"):
            return ["n"], [(120 if self._database == "test" else 7,)]
        if "SERVERPROPERTY" in sql:
            return ["v", "l"], [("16.0.1000.6", "reader")]
        if "fn_my_permissions" in sql:
            return ["w"], [] if self._database == "test" else [("has INSERT",)]
        if "INFORMATION_SCHEMA" in sql:
            return ["a", "b"], [("dbo", "points")]
        if sql.startswith("SELECT long"):
            return ["n", "s"], [(n, "x" * 50) for n in range(10_000)]
        return ["time", "host", "used"], _series()


class Session:
    """One session."""

    def __init__(self, database: str) -> None:
        self._database = database

    def cursor(self) -> Cursor:
        return Cursor(self._database)

    def close(self) -> None:
        pass


class Server:
    """What connects; ``port`` is the only one that answers."""

    def __init__(self, port: int) -> None:
        self._port = str(port)
        self.options: dict[str, Any] = {}

    def connect(self, **options: Any) -> Session:
        self.options = options
        if options["port"] != self._port:
            raise pymssql.OperationalError(
                (20009, b"DB-Lib error message 20009: Unable to connect (127.0.0.1)")
            )
        if options["password"] != PASSWORD:
            raise pymssql.OperationalError((18456, b"Login failed for user 'reader'."))
        return Session(options["database"])
