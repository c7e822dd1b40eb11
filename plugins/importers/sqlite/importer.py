"""Rows of a table or query of a SQLite file."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from time import monotonic
from typing import Final
from urllib.parse import quote

from detectviz.contracts.batches import Batch
from detectviz.contracts.config import get_text
from detectviz.contracts.errors import ConfigurationError, PluginError
from detectviz.contracts.importer import ImporterContext
from detectviz.contracts.record_batches import Part, part_batches
from detectviz.contracts.records import Signal
from detectviz.contracts.row_records import RowMapping, row_mapping
from detectviz.contracts.sql.keyset import key_after, keyed_part, rows_before, source_of

_STEPS: Final = 10_000
_ROWID: Final = "rowid"
_ALLOWED: Final = frozenset(
    {
        sqlite3.SQLITE_SELECT,
        sqlite3.SQLITE_READ,
        sqlite3.SQLITE_FUNCTION,
        sqlite3.SQLITE_RECURSIVE,
    }
)
_REFUSED_FUNCTIONS: Final = frozenset({"load_extension", "fts3_tokenizer"})
_PASSING: Final = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_IOERR", "SQLITE_INTERRUPT")


class SqliteImporter:
    """Reads in the order of a key."""

    signals = frozenset({Signal.ROWS, Signal.METRICS, Signal.LOGS})

    def read(self, context: ImporterContext) -> Iterator[Batch]:
        """Yield the rows after those stored; raise PluginError for what cannot be read."""
        mapping = row_mapping(context.config, now=context.now())
        source = source_of(context.config, _quoted(get_text(context.config, "table")))
        key = _key(context)
        with _session(context) as session:
            total = _count(session, source, key) if mapping.kind != "metrics" else None
            yield from part_batches(
                _parts(session, source, key, mapping, context),
                batch_size=context.batch_size,
                is_cancelled=context.is_cancelled,
                total=total,
            )


def _key(context: ImporterContext) -> str:
    column = get_text(context.config, "key_column")
    if not column and get_text(context.config, "query"):
        message = "Name the column that orders the rows of the query."
        raise ConfigurationError(message, field="/key_column")
    return _quoted(column) if column else _ROWID


def _count(session: "_Session", source: str, key: str) -> int:
    session.begin()
    statement = f"SELECT count(*) FROM {source} WHERE {key} IS NOT NULL"  # noqa: S608 - the operator's own
    (count,) = session.connection.execute(statement).fetchone()
    return int(count)


def _parts(
    session: "_Session", source: str, key: str, mapping: RowMapping, context: ImporterContext
) -> Iterator[Part]:
    after = key_after(context.cursor)
    condition, values = (f"{key} IS NOT NULL", ()) if after is None else (f"{key} > ?", (after,))
    session.begin()
    cursor = session.connection.execute(
        f"SELECT {key}, * FROM {source} WHERE {condition} ORDER BY {key}",  # noqa: S608 - the operator's own
        values,
    )
    names = [each[0] for each in cursor.description][1:]
    number = rows_before(context.cursor)
    while True:
        session.begin()
        found = cursor.fetchone()
        if found is None:
            return
        number += 1
        row = dict(zip(names, found[1:], strict=True))
        yield keyed_part(row, mapping, key=found[0], number=number)


class _Session:
    """A connection that is interrupted when one step takes longer than allowed."""

    def __init__(self, connection: sqlite3.Connection, context: ImporterContext) -> None:
        self.connection = connection
        self._context = context
        self._until = 0.0

    def begin(self) -> None:
        """Give the next step the whole time."""
        self._until = monotonic() + self._context.timeout_s

    def is_over(self) -> bool:
        """Say whether to stop."""
        return monotonic() > self._until or self._context.is_cancelled()


@contextmanager
def _session(context: ImporterContext) -> Iterator[_Session]:
    path = context.connector.file(get_text(context.config, "path"))
    uri = f"file:{quote(path)}?mode=ro"
    try:
        connection = sqlite3.connect(
            uri,
            uri=True,
            timeout=context.timeout_s,
            isolation_level=None,
            check_same_thread=False,
        )
        with closing(connection) as plain:
            plain.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
            plain.execute("PRAGMA query_only = ON")
            plain.execute("PRAGMA trusted_schema = OFF")
            plain.text_factory = lambda data: data.decode("utf-8", "replace")
            session = _Session(plain, context)
            plain.set_progress_handler(session.is_over, _STEPS)
            plain.set_authorizer(_authorise)
            yield session
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "")
        message = f"The file cannot be read: {error}."
        raise PluginError(message, permanent=not name.startswith(_PASSING)) from error


def _authorise(action: int, *names: str | None) -> int:
    """Let a statement do nothing but read."""
    is_refused = action == sqlite3.SQLITE_FUNCTION and names[1] in _REFUSED_FUNCTIONS
    return sqlite3.SQLITE_OK if action in _ALLOWED and not is_refused else sqlite3.SQLITE_DENY


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
