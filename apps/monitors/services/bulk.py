"""Writing many rows in one statement, because ``bulk_update`` costs 300 µs a row."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.db import connection, models


def rows_update(
    *, model: type[models.Model], columns: Mapping[str, str], rows: Sequence[Sequence[Any]]
) -> None:
    """Set ``columns`` (name → PostgreSQL type) of the rows whose primary key comes first in each.

    ``rows`` holds (primary key, then one value per column); values are Python's own types, times
    aware. One ``UPDATE … FROM unnest`` on PostgreSQL, one ``executemany`` on SQLite.
    """
    if not rows:
        return
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            arrays = [list(column) for column in zip(*rows, strict=True)]
            cursor.execute(_unnest_statement(model, columns), arrays)
        else:
            prepare = _preparer(model, columns)
            cursor.executemany(_row_statement(model, columns), [prepare(row) for row in rows])


def _unnest_statement(model: type[models.Model], columns: Mapping[str, str]) -> str:
    table, key = _names(model)
    arrays = ", ".join(["%s::bigint[]", *(f"%s::{kind}[]" for kind in columns.values())])
    sets = ", ".join(f"{name} = r.{name}" for name in columns)
    return (
        f"UPDATE {table} AS t SET {sets} "  # noqa: S608 - names from our own models
        f"FROM unnest({arrays}) AS r(row_key, {', '.join(columns)}) WHERE t.{key} = r.row_key"
    )


def _row_statement(model: type[models.Model], columns: Mapping[str, str]) -> str:
    table, key = _names(model)
    sets = ", ".join(f"{name} = %s" for name in columns)
    return f"UPDATE {table} SET {sets} WHERE {key} = %s"  # noqa: S608 - names from our own models


def _preparer(
    model: type[models.Model], columns: Mapping[str, str]
) -> Callable[[Sequence[Any]], list[Any]]:
    fields: list[Any] = [model._meta.get_field(name) for name in columns]

    def prepare(row: Sequence[Any]) -> list[Any]:
        values = zip(fields, row[1:], strict=True)
        return [*(field.get_db_prep_save(value, connection) for field, value in values), row[0]]

    return prepare


def _names(model: type[models.Model]) -> tuple[str, str]:
    key = model._meta.pk
    return model._meta.db_table, str(key.column)
