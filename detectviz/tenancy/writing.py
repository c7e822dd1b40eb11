"""Write thousands of rows by one prepared statement.

``bulk_create`` builds a statement for every few dozen rows on SQLite, which costs more than the
writing: about 130 µs a row of 16 columns against 35 here.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from django.db import connections, models, router
from django.db.backends.base.base import BaseDatabaseWrapper


def rows_write(
    rows: Sequence[models.Model],
    *,
    unique: Sequence[str] = (),
    update: Sequence[str] = (),
    counted: Sequence[str] = (),
) -> None:
    """Insert new rows of one model; where ``unique`` fields name an existing row, see to that.

    ``update`` fields are then set to the new values and ``counted`` ones go up by one; without
    either, the existing row stays. Values are taken as ``save`` would (``auto_now`` too). Primary
    keys are left to the database and not read back; no signals are sent. As ``bulk_create``, it
    trusts the caller about the org of each row. Raises what the database does.
    """
    if not rows:
        return
    model = type(rows[0])
    connection = connections[router.db_for_write(model)]
    fields = [field for field in model._meta.concrete_fields if not field.primary_key]
    quoted = connection.ops.quote_name
    table = quoted(model._meta.db_table)
    column = {field.name: quoted(str(field.column)) for field in fields}
    statement = (
        f"INSERT INTO {table} ({', '.join(column.values())})"  # noqa: S608 - names of our own models
        f" VALUES ({', '.join('%s' for _ in fields)})"
    )
    if unique:
        changes = [f"{column[name]} = EXCLUDED.{column[name]}" for name in update]
        changes += [f"{column[name]} = {table}.{column[name]} + 1" for name in counted]
        told = f"UPDATE SET {', '.join(changes)}" if changes else "NOTHING"
        statement += f" ON CONFLICT ({', '.join(column[name] for name in unique)}) DO {told}"
    readers = [_reader(field, connection) for field in fields]
    with connection.cursor() as cursor:
        cursor.executemany(statement, [tuple(read(row) for read in readers) for row in rows])


def _reader(
    field: "models.Field[Any, Any]", connection: BaseDatabaseWrapper
) -> Callable[[models.Model], Any]:
    """Return what takes a field's value from a row, as the database wants it."""

    def read(row: models.Model) -> Any:
        return prepared(value=field.pre_save(row, add=True))

    prepared = partial(field.get_db_prep_save, connection=connection)
    return read
