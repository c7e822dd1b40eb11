"""Tables read in the order of a key, so that a run can go on after any row."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final

from detectviz.contracts.config import get_text
from detectviz.contracts.errors import ConfigurationError
from detectviz.contracts.record_batches import Part, row_part
from detectviz.contracts.row_records import RowMapping
from detectviz.contracts.types import JsonObject

_KEY: Final = "key"
_COUNT: Final = "row"


def source_of(config: JsonObject, quoted_table: str) -> str:
    """Return what stands after FROM; raise ConfigurationError unless one of both is given."""
    table, query = get_text(config, "table"), get_text(config, "query").strip().rstrip(";")
    if bool(table) == bool(query):
        raise ConfigurationError("Give a table or a query, one of both.", field="/table")
    return quoted_table if table else f"({query}\n) AS detectviz_rows"


def key_after(cursor: JsonObject) -> str | int | float | None:
    """Return the key of the last row stored, None at the beginning."""
    key = cursor.get(_KEY)
    return key if isinstance(key, (str, int, float)) else None


def rows_before(cursor: JsonObject) -> int:
    """Return how many rows have been read before."""
    count = cursor.get(_COUNT, 0)
    return count if isinstance(count, int) else 0


def keyed_part(row: Mapping[str, object], mapping: RowMapping, *, key: object, number: int) -> Part:
    """Return the records of the row with a key; raise ConfigurationError for a key of no use."""
    cursor: JsonObject = {_KEY: _key(key), _COUNT: number}
    return row_part(row, mapping, place=f"row {number}", cursor=cursor)


def _key(value: object) -> str | int | float:
    """Return a key as JSON that compares in SQL as the value itself."""
    if isinstance(value, (str, int, float)):
        return value
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S.%f")
    if isinstance(value, (date, timedelta, Decimal)):
        return str(value)
    message = "A key must be a number, a text or a time; choose another column."
    raise ConfigurationError(message, field="/key_column")
