"""Records as rows of MySQL and MariaDB."""

from collections.abc import Sequence
from math import isfinite
from typing import Any, Final

import pymysql

from detectviz.contracts.batches import WriteReport
from detectviz.contracts.config import get_text
from detectviz.contracts.errors import PluginError
from detectviz.contracts.exporter import ExporterContext
from detectviz.contracts.records import Record, RecordError, Signal
from detectviz.contracts.sql.record_tables import (
    BATCH,
    NUMBER,
    Cell,
    TableRow,
    TableRows,
    missing_columns,
    table_rows,
)
from plugins.exporters.mysql.session import reason, session

_MOST_COLUMNS: Final = 200
_CREATE: Final = f"""CREATE TABLE IF NOT EXISTS {{}} (
 {BATCH} VARCHAR(64) CHARACTER SET ascii NOT NULL, {NUMBER} BIGINT NOT NULL,
 PRIMARY KEY ({BATCH}, {NUMBER})) CHARACTER SET utf8mb4"""
_COLUMNS: Final = """SELECT column_name FROM information_schema.columns
 WHERE table_schema = DATABASE() AND table_name = %s"""
_EXISTS: Final = """SELECT 1 FROM information_schema.tables
 WHERE table_schema = DATABASE() AND table_name = %s"""
# Errors of one row's values: out of range, too long, no such number or time, not null, a check.
_VALUE_ERRORS: Final = (pymysql.DataError, pymysql.IntegrityError)
_VALUE_CODES: Final = frozenset({1264, 1265, 1292, 1366, 1406, 4025})


class MysqlExporter:
    """Writes a batch in one transaction, each row that the server refuses apart."""

    signals = frozenset(Signal)

    def write(self, records: Sequence[Record], context: ExporterContext) -> WriteReport:
        """Write a batch; raise PluginError when the server cannot take it."""
        tables = table_rows(records, get_text(context.config, "table"))
        errors: list[RecordError] = []
        with session(context) as connection, connection.cursor() as cursor:
            # What changes a table ends a transaction, so all of it comes first.
            for name, table in tables.items():
                _prepare(cursor, name, table)
            connection.begin()
            for name, table in tables.items():
                errors += _insert(cursor, name, table, context)
        return WriteReport(written=len(records) - len(errors), errors=tuple(errors))


def _prepare(cursor: Any, name: str, table: TableRows) -> None:
    cursor.execute(_EXISTS, (name,))
    if cursor.fetchone() is None:
        cursor.execute(_CREATE.format(_quoted(name)))
    cursor.execute(_COLUMNS, (name,))
    existing = [row[0] for row in cursor.fetchall()]
    new = missing_columns(table.columns, existing)
    if len(existing) + len(new) > _MOST_COLUMNS:
        message = (
            f"The table {name} would have more than {_MOST_COLUMNS} columns; map records first."
        )
        raise PluginError(message, permanent=True)
    if new:
        added = (f"ADD COLUMN {_quoted(each)} {_type(table.columns[each])}" for each in new)
        cursor.execute(f"ALTER TABLE {_quoted(name)} {', '.join(added)}")


def _insert(
    cursor: Any, name: str, table: TableRows, context: ExporterContext
) -> list[RecordError]:
    columns = list(table.columns)
    named = ", ".join([BATCH, NUMBER, *map(_quoted, columns)])
    marks = ", ".join(["%s"] * (len(columns) + 2))
    statement = (
        f"INSERT INTO {_quoted(name)} ({named}) VALUES ({marks}) "  # noqa: S608 - quoted names
        f"ON DUPLICATE KEY UPDATE {NUMBER} = {NUMBER}"
    )
    rows = [_values(row, columns, context.batch_id) for row in table.rows]
    cursor.execute("SAVEPOINT batch")
    try:
        cursor.executemany(statement, rows)
    except pymysql.Error as error:
        if not _is_about_a_value(error):
            raise
        cursor.execute("ROLLBACK TO SAVEPOINT batch")
        return _insert_each(cursor, statement, table.rows, rows, context)
    return []


def _insert_each(
    cursor: Any,
    statement: str,
    table: Sequence[TableRow],
    rows: Sequence[Sequence[Cell]],
    context: ExporterContext,
) -> list[RecordError]:
    errors: list[RecordError] = []
    for row, values in zip(table, rows, strict=True):
        try:
            cursor.execute(statement, values)
        except pymysql.Error as error:
            if not _is_about_a_value(error):
                raise
            place = f"record {row.number}"
            sample = str(dict(row.cells))[:200]
            errors.append(RecordError(place=place, message=reason(error, context), sample=sample))
    return errors


def _is_about_a_value(error: pymysql.Error) -> bool:
    code = error.args[0] if error.args else 0
    return isinstance(error, _VALUE_ERRORS) or code in _VALUE_CODES


def _values(row: TableRow, columns: Sequence[str], batch_id: str) -> list[Cell]:
    return [batch_id, row.number, *(_value(row.cells.get(column)) for column in columns)]


def _value(cell: Cell) -> Cell:
    return None if isinstance(cell, float) and not isfinite(cell) else cell


def _type(cell: Cell) -> str:
    if isinstance(cell, bool):
        return "BOOLEAN"
    if isinstance(cell, int):
        return "BIGINT"
    return "DOUBLE" if isinstance(cell, float) else "LONGTEXT"


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"
