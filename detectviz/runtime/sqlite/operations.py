"""Times read from SQLite: always UTC as Django writes them, so they are read as that at once.

JSON is written by one encoder of each kind, not by one for each value.
"""

from datetime import UTC, datetime
from functools import cache
from json import JSONEncoder
from typing import Any

# Django's two modules import each other, which works from the first alone.
from django.db.backends.sqlite3 import base, operations  # noqa: F401 - see above


class DatabaseOperations(operations.DatabaseOperations):
    """Django's, but for the reading of times and the writing of JSON."""

    def adapt_json_value(self, value: Any, encoder: type[JSONEncoder] | None) -> str:
        """Return the text of a value."""
        kind = encoder or JSONEncoder
        return _encoder(kind).encode(value)  # type: ignore[arg-type]  # mypy takes a class for its values

    def convert_datetimefield_value(
        self, value: Any, expression: Any, connection: Any
    ) -> datetime | None:
        """Leave alone what ``utc_time`` has read; Django reads the rest (what SQL computed)."""
        if value is None or (type(value) is datetime and value.tzinfo is not None):
            return value
        return super().convert_datetimefield_value(value, expression, connection)


@cache
def _encoder(kind: type[JSONEncoder]) -> JSONEncoder:
    return kind()


def utc_time(stored: bytes) -> datetime:
    """Return the time of a column's text, UTC where it names no offset; raises ValueError."""
    at = datetime.fromisoformat(stored.decode())
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at
