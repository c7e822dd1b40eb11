"""Records as rows of a SQLite file."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Final
from urllib.parse import quote

from detectviz.contracts.batches import WriteReport
from detectviz.contracts.config import get_text
from detectviz.contracts.errors import PluginError
from detectviz.contracts.exporter import ExporterContext
from detectviz.contracts.records import Record, Signal
from detectviz.contracts.sql.record_tables import (
    BATCH,
    NUMBER,
    TableRows,
    missing_columns,
    table_rows,
)

_MOST_COLUMNS: Final = 500
_PASSING: Final = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_IOERR", "SQLITE_FULL")


class SqliteExporter:
    """Writes a batch in one transaction."""

    signals = frozenset(Signal)

    def write(self, records: Sequence[Record], context: ExporterContext) -> WriteReport:
        """Write a batch; raise PluginError when the file cannot be written."""
        with _session(context) as session:
            for name, table in table_rows(records, get_text(context.config, "table")).items():
                _prepare(session, name, table)
                _insert(session, name, table, context.batch_id)
        return WriteReport(written=len(records))


@contextmanager
def _session(context: ExporterContext) -> Iterator[sqlite3.Connection]:
    """Yield a session in a transaction that is kept when the block ends without an error."""
    path = context.connector.file(get_text(context.config, "path"))
    try:
        connection = sqlite3.connect(
            f"file:{quote(path)}?mode=rw", uri=True, timeout=context.timeout_s, isolation_level=None
        )
        with closing(connection) as session:
            session.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
            session.execute("PRAGMA trusted_schema = OFF")
            session.execute("BEGIN IMMEDIATE")
            yield session
            session.execute("COMMIT")
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "")
        message = f"The file cannot be written: {error}."
        raise PluginError(message, permanent=not name.startswith(_PASSING)) from error


def _prepare(session: sqlite3.Connection, name: str, table: TableRows) -> None:
    session.execute(
        f"CREATE TABLE IF NOT EXISTS {_quoted(name)} ({BATCH} TEXT NOT NULL, "
        f"{NUMBER} INTEGER NOT NULL, PRIMARY KEY ({BATCH}, {NUMBER}))"
    )
    existing = [row[0] for row in session.execute("SELECT name FROM pragma_table_info(?)", (name,))]
    new = missing_columns(table.columns, existing)
    if len(existing) + len(new) > _MOST_COLUMNS:
        message = (
            f"The table {name} would have more than {_MOST_COLUMNS} columns; map records first."
        )
        raise PluginError(message, permanent=True)
    for column in new:
        session.execute(f"ALTER TABLE {_quoted(name)} ADD COLUMN {_quoted(column)}")


def _insert(session: sqlite3.Connection, name: str, table: TableRows, batch_id: str) -> None:
    columns = list(table.columns)
    named = ", ".join([BATCH, NUMBER, *map(_quoted, columns)])
    marks = ", ".join("?" * (len(columns) + 2))
    session.executemany(
        f"INSERT INTO {_quoted(name)} ({named}) VALUES ({marks}) "  # noqa: S608 - quoted names
        f"ON CONFLICT ({BATCH}, {NUMBER}) DO NOTHING",
        [
            (batch_id, row.number, *(row.cells.get(column) for column in columns))
            for row in table.rows
        ],
    )


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
