"""What a variable is, and the languages it can be put into."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

import re2

from detectviz.contracts.types import JsonValue
from detectviz.queries.errors import VariableError

_NAME = re2.compile(r"[A-Za-z][A-Za-z0-9_]*")
_MOST_VALUES = 10_000
_MOST_VARIABLES = 500
_LONGEST = 10_000


class Language(StrEnum):
    """Languages of query texts; a plugin's query schema says ``"x-language"`` for each text."""

    PLAIN = "plain"
    URL = "url"
    PROMQL = "promql"
    LOGQL = "logql"
    SQL = "sql"
    POSTGRESQL = "postgresql"
    MYSQL = "mysql"
    MSSQL = "mssql"
    CLICKHOUSE = "clickhouse"
    SQLITE = "sqlite"
    LUCENE = "lucene"
    INFLUXQL = "influxql"
    FLUX = "flux"
    GRAPHITE = "graphite"


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A variable's values as text.

    ``is_numeric`` tells that they were numbers, ``is_own`` that they are ours (durations and
    times) and can stand anywhere.
    """

    name: str
    values: tuple[str, ...]
    is_numeric: bool = False
    is_own: bool = False


Variables: TypeAlias = Mapping[str, Variable]


def read_variables(given: Mapping[str, JsonValue]) -> dict[str, Variable]:
    """Read variables from JSON: a text, a number, a truth value, or a list of these.

    Grafana's ``{"text": …, "value": …}`` is understood. Raise VariableError otherwise.
    """
    if len(given) > _MOST_VARIABLES:
        raise VariableError(f"there are more than {_MOST_VARIABLES} variables")
    return {name: _read(name, value) for name, value in given.items()}


def _read(name: str, value: JsonValue) -> Variable:
    if _NAME.fullmatch(name) is None:
        raise VariableError(
            f"{name!r} is no name for a variable: letters, digits and _, starting with a letter"
        )
    if isinstance(value, Mapping):
        value = value.get("value")
    is_list = isinstance(value, Sequence) and not isinstance(value, str)
    values = list(value) if is_list else [value]  # type: ignore[arg-type]  # a list, just seen
    if len(values) > _MOST_VALUES:
        raise VariableError(f"variable {name} has more than {_MOST_VALUES} values")
    return Variable(
        name=name,
        values=tuple(_text(name, each) for each in values),
        is_numeric=bool(values) and all(type(each) in {int, float} for each in values),
    )


def _text(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str | int | float):
        raise VariableError(f"variable {name} must be a text, a number or a list of them")
    text = str(value)
    if "\0" in text or len(text) > _LONGEST:
        raise VariableError(f"variable {name} has a NUL character or is too long")
    return text
