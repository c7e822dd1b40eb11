"""Entries in one table of PostgreSQL or SQLite; every change is one statement.

Numbers stand in a column of their own, so that the database adds to them.
"""

import re
import sqlite3
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

import psycopg

from detectviz.contracts.cache import CacheConnection, CacheContext
from detectviz.contracts.errors import ConfigurationError, NetworkError, PluginError

_NUMBER = re.compile(rb"-?[0-9]{1,18}")  # noqa: TID251 - our own constant pattern
_CLEAN_EVERY_S = 60.0
_ERRORS = (sqlite3.Error, psycopg.Error)

_MAKE = """CREATE TABLE IF NOT EXISTS {table} (name TEXT PRIMARY KEY, value {bytes},
 number BIGINT, expires_at DOUBLE PRECISION)"""
_INDEX = "CREATE INDEX IF NOT EXISTS {table}_expires ON {table} (expires_at)"
_GET = """SELECT value, number FROM {table}
 WHERE name = ? AND (expires_at IS NULL OR expires_at > ?)"""
_SET = """INSERT INTO {table} (name, value, number, expires_at) VALUES (?, ?, ?, ?)
 ON CONFLICT (name) DO UPDATE SET value = excluded.value, number = excluded.number,
 expires_at = excluded.expires_at"""
_ADD = f"{_SET} WHERE {{table}}.expires_at <= ? RETURNING name"
_DELETE = "DELETE FROM {table} WHERE name = ? RETURNING expires_at"
# What has expired counts as missing; text (value set, no number) is left as it is.
_INCR = """INSERT INTO {table} (name, number, expires_at) VALUES (?, ?, ?)
 ON CONFLICT (name) DO UPDATE SET
 number = excluded.number + CASE WHEN {table}.expires_at <= ? THEN 0 ELSE {table}.number END,
 value = NULL,
 expires_at = CASE WHEN {table}.expires_at <= ? OR ? THEN excluded.expires_at
  ELSE {table}.expires_at END
 WHERE {table}.number IS NOT NULL OR {table}.expires_at <= ? RETURNING number"""
_CLEAN = "DELETE FROM {table} WHERE expires_at <= ?"
_CLEAR = "DELETE FROM {table}"


class DatabaseCache:
    """Opens connections to one table."""

    def open(self, context: CacheContext) -> CacheConnection:
        """Connect and make the table where it is missing."""
        address = str(context.config["url"])
        is_sqlite = address.startswith("sqlite:")
        connection = _Connection(
            address=address,
            is_sqlite=is_sqlite,
            table=str(context.config["table"]),
            timeout_s=context.timeout_s,
        )
        kind = "BLOB" if is_sqlite else "BYTEA"
        try:
            connection.run(_MAKE.replace("{bytes}", kind))
            connection.run(_INDEX)
        except NetworkError as error:
            if not is_sqlite:
                raise
            raise ConfigurationError(error.message, field="/url") from error
        return connection


@dataclass(slots=True, kw_only=True)
class _Connection:
    address: str
    is_sqlite: bool
    table: str
    timeout_s: float
    lock: threading.Lock = field(default_factory=threading.Lock)
    handle: Any = None
    cleaned_at: float = 0.0

    def get(self, keys: Sequence[str]) -> Mapping[str, bytes]:
        found: dict[str, bytes] = {}
        for key in keys:
            for value, number in self.run(_GET, key, time.time()):
                found[key] = str(number).encode() if value is None else bytes(value)
        return found

    def set(self, entries: Mapping[str, bytes], *, ttl_s: float | None) -> None:
        self._clean()
        for key, value in entries.items():
            self.run(_SET, key, *_columns(value), _end(ttl_s))

    def add(self, key: str, value: bytes, *, ttl_s: float | None) -> bool:
        self._clean()
        return bool(self.run(_ADD, key, *_columns(value), _end(ttl_s), time.time()))

    def delete(self, keys: Sequence[str]) -> int:
        now = time.time()
        rows = [row for key in keys for row in self.run(_DELETE, key)]
        return sum(ends_at is None or ends_at > now for (ends_at,) in rows)

    def incr(self, key: str, delta: int, *, ttl_s: float | None = None) -> int:
        now, is_new_time = time.time(), ttl_s is not None
        rows = self.run(_INCR, key, delta, _end(ttl_s), now, now, is_new_time, now)
        if not rows:
            raise PluginError(f"The entry {key} is no number.", permanent=True)
        return int(rows[0][0])

    def clear(self) -> None:
        self.run(_CLEAR)

    def close(self) -> None:
        with self.lock:
            self._drop()

    def run(self, statement: str, *values: object) -> list[Any]:
        """Run one statement; a connection that was lost is made anew once."""
        text = statement.replace("{table}", self.table)
        text = text if self.is_sqlite else text.replace("?", "%s")
        with self.lock:
            for is_last in (False, True):
                try:
                    cursor = self._connected().execute(text, values)
                    return cursor.fetchall() if cursor.description else []
                except (psycopg.OperationalError, psycopg.InterfaceError, OSError) as error:
                    self._drop()
                    if is_last:
                        raise NetworkError(_said(error), phase="connect") from error
                except _ERRORS as error:
                    raise _translated(error) from error
        raise AssertionError(statement)

    def _connected(self) -> Any:
        if self.handle is None:
            self.handle = self._connect()
        return self.handle

    def _connect(self) -> Any:
        if not self.is_sqlite:
            seconds = max(round(self.timeout_s), 1)
            return psycopg.connect(self.address, autocommit=True, connect_timeout=seconds)
        path = unquote(urlsplit(self.address).path)
        handle = sqlite3.connect(
            path, timeout=self.timeout_s, isolation_level=None, check_same_thread=False
        )
        handle.execute("PRAGMA journal_mode=WAL")
        handle.execute("PRAGMA synchronous=OFF")  # a cache may be lost
        return handle

    def _drop(self) -> None:
        handle, self.handle = self.handle, None
        if handle is not None:
            handle.close()

    def _clean(self) -> None:
        now = time.monotonic()
        if now - self.cleaned_at > _CLEAN_EVERY_S:
            self.cleaned_at = now
            self.run(_CLEAN, time.time())


def _columns(value: bytes) -> tuple[bytes | None, int | None]:
    is_number = _NUMBER.fullmatch(value) and str(int(value)).encode() == value
    return (None, int(value)) if is_number else (value, None)


def _end(ttl_s: float | None) -> float | None:
    return None if ttl_s is None else time.time() + ttl_s


def _said(error: Exception) -> str:
    return f"The database does not answer: {str(error).strip().partition(chr(10))[0]}"


def _translated(error: Exception) -> PluginError:
    if isinstance(error, sqlite3.OperationalError):
        return NetworkError(_said(error), phase="connect")
    return PluginError(f"The database refuses: {error}")
