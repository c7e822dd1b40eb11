"""Write thousands of rows by one prepared statement.

``bulk_create`` builds a statement for every few dozen rows on SQLite, which costs more than the
writing: about 130 µs a row of 16 columns, 35 by ``rows_write``, 10 by ``columns_write``.
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from functools import partial
from itertools import repeat
from operator import attrgetter
from types import NoneType
from typing import Any

from django.db import connections, models, router
from django.db.backends.base.base import BaseDatabaseWrapper

from detectviz.json_field import JSONField

_TEXTS = (models.CharField, models.TextField)
_JSON = (models.JSONField, JSONField)


class Prepared(list[Any]):
    """Values as the database wants them; several tables can take the same."""


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
    columns = {field.attname: list(_values(field, rows)) for field in _fields(model)}
    columns_write(model, columns, unique=unique, update=update, counted=counted)


def columns_write(
    model: type[models.Model],
    columns: Mapping[str, Sequence[Any]],
    *,
    same: Mapping[str, Any] | None = None,
    unique: Sequence[str] = (),
    update: Sequence[str] = (),
    counted: Sequence[str] = (),
) -> None:
    """Write rows as ``rows_write`` does, given by column: no object is made for a row.

    ``columns`` have a value for each row, ``same`` one for all of them, both by the field's
    ``attname`` (``org_id``); a field in neither has its default, which is made once for all rows.
    """
    count = len(next(iter(columns.values()), ()))
    if not count:
        return
    connection = connections[router.db_for_write(model)]
    known = same or {}
    prepared: list[Iterable[Any]] = []
    for field in _fields(model):
        if field.attname in columns:
            prepared.append(_prepared(field, columns[field.attname], connection))
        else:
            value = known[field.attname] if field.attname in known else _default(field, model)
            prepared.append(repeat(field.get_db_prep_save(value, connection), count))
    statement = _statement(model, connection, unique, update, counted)
    with connection.cursor() as cursor:
        cursor.executemany(statement, list(zip(*prepared, strict=True)))


def columns_update(
    model: type[models.Model],
    keys: Sequence[int],
    columns: Mapping[str, Sequence[Any]],
    *,
    same: Mapping[str, Any] | None = None,
) -> None:
    """Write these columns of the rows with these primary keys; other indexes are left alone.

    ``columns`` have a value for each row, ``same`` one for all of them, as in ``columns_write``.
    One statement is prepared, where ``bulk_update`` builds one that names every row. Values are
    taken as ``update`` would: no signals, no ``auto_now``. It trusts the caller, who has locked the
    rows, about their org. Raises what the database does.
    """
    if not keys:
        return
    connection = connections[router.db_for_write(model)]
    fields = {field.attname: field for field in _fields(model)}
    prepared = [_prepared(fields[name], values, connection) for name, values in columns.items()]
    known = same or {}
    fixed = [fields[name].get_db_prep_save(value, connection) for name, value in known.items()]
    statement = _update_statement(model, connection, [fields[name] for name in (*columns, *known)])
    rows = zip(*prepared, *(repeat(value, len(keys)) for value in fixed), keys, strict=True)
    with connection.cursor() as cursor:
        cursor.executemany(statement, list(rows))


def values_prepare(model: type[models.Model], field_name: str, values: Sequence[Any]) -> Prepared:
    """Return values as the database wants them, for this field and others of its type."""
    connection = connections[router.db_for_write(model)]
    field = next(each for each in _fields(model) if each.name == field_name)
    return Prepared(_prepared(field, values, connection))


def _statement(
    model: type[models.Model],
    connection: BaseDatabaseWrapper,
    unique: Sequence[str],
    update: Sequence[str],
    counted: Sequence[str],
) -> str:
    quoted = connection.ops.quote_name
    table = quoted(model._meta.db_table)
    column = {field.name: quoted(str(field.column)) for field in _fields(model)}
    statement = (
        f"INSERT INTO {table} ({', '.join(column.values())})"  # noqa: S608 - names of our own models
        f" VALUES ({', '.join('%s' for _ in column)})"
    )
    if unique:
        changes = [f"{column[name]} = EXCLUDED.{column[name]}" for name in update]
        changes += [f"{column[name]} = {table}.{column[name]} + 1" for name in counted]
        told = f"UPDATE SET {', '.join(changes)}" if changes else "NOTHING"
        statement += f" ON CONFLICT ({', '.join(column[name] for name in unique)}) DO {told}"
    return statement


def _update_statement(
    model: type[models.Model],
    connection: BaseDatabaseWrapper,
    fields: Sequence["models.Field[Any, Any]"],
) -> str:
    quoted = connection.ops.quote_name
    changes = ", ".join(f"{quoted(str(field.column))} = %s" for field in fields)
    table, key = quoted(model._meta.db_table), quoted(str(model._meta.pk.column))
    return f"UPDATE {table} SET {changes} WHERE {key} = %s"  # noqa: S608 - names of our own models


def _fields(model: type[models.Model]) -> list["models.Field[Any, Any]"]:
    return [field for field in model._meta.concrete_fields if not field.primary_key]


def _default(field: "models.Field[Any, Any]", model: type[models.Model]) -> Any:
    if type(field).pre_save is models.Field.pre_save:
        return field.get_default()
    return field.pre_save(model(), add=True)  # auto_now


def _values(field: "models.Field[Any, Any]", rows: Sequence[models.Model]) -> Iterable[Any]:
    if type(field).pre_save is models.Field.pre_save:
        return map(attrgetter(field.attname), rows)
    return (field.pre_save(row, add=True) for row in rows)


def _prepared(
    field: "models.Field[Any, Any]", values: Sequence[Any], connection: BaseDatabaseWrapper
) -> list[Any]:
    """Return values as the database wants them; what repeats is prepared once."""
    if isinstance(values, Prepared):
        return values
    kinds = set(map(type, values))
    if type(field) in _TEXTS and kinds <= {str}:
        return list(values)
    if isinstance(field, models.JSONField) and type(field) in _JSON:
        adapt = partial(connection.ops.adapt_json_value, encoder=field.encoder)
        return [None if value is None else adapt(value) for value in values]
    prepare = partial(field.get_db_prep_save, connection=connection)
    if _can_repeat(kinds - {NoneType}):
        known = {value: prepare(value=value) for value in set(values)}
        return [known[value] for value in values]
    return [prepare(value=value) for value in values]


def _can_repeat(kinds: AbstractSet[type]) -> bool:
    """Whether equal values of these types are the same to a database (True and 1 are not)."""
    return all(issubclass(kind, str) for kind in kinds) or (
        len(kinds) == 1 and all(issubclass(kind, (int, datetime)) for kind in kinds)
    )
