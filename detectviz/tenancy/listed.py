"""Many texts or keys as one parameter of a statement."""

from collections.abc import Iterable
from typing import Any

import orjson
from django.db.models import BigIntegerField, Expression, Field, TextField


class _Listed(Expression):
    """Values that ``__in`` looks a column up in, however many there are.

    A list of its own has a parameter for each and so is limited to some hundreds; making them
    costs more than the look-up.
    """

    kind: "type[Field[Any, Any]]"
    array: str

    def __init__(self, values: Iterable[Any]) -> None:
        super().__init__(output_field=self.kind())
        self._values = list(values)

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        """Return SQLite's form, a table of what a JSON list holds."""
        return "SELECT value FROM json_each(%s)", (orjson.dumps(self._values).decode(),)

    def as_postgresql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        """Return PostgreSQL's form, the elements of an array."""
        return f"SELECT unnest(%s::{self.array})", (self._values,)


class Texts(_Listed):
    """Some texts."""

    kind, array = TextField, "text[]"


class Keys(_Listed):
    """Some primary keys."""

    kind, array = BigIntegerField, "bigint[]"
