"""How SQLite writes points in time."""

from datetime import UTC, datetime
from typing import Final

from detectviz.contracts.sql.dialect import Dialect, whole_seconds
from detectviz.contracts.sql.lexis import Lexis


def _timestamp(time_ms: int) -> str:
    """Return text as SQLite's own functions write it, which compares as it is meant."""
    moment = datetime.fromtimestamp(time_ms / 1000, UTC)
    return f"'{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03d}'"


def _compared(column: str) -> str:
    return f"strftime('%Y-%m-%d %H:%M:%f', {column})"


def _epoch(column: str) -> str:
    return f"CAST(strftime('%s', {column}) AS INTEGER)"


def _group(column: str, step_ms: int) -> str:
    return _epoch_group(_epoch(column), step_ms)


def _epoch_group(column: str, step_ms: int) -> str:
    step_s = whole_seconds(step_ms)
    return f"(({column}) / {step_s} * {step_s})"


DIALECT: Final = Dialect(
    timestamp=_timestamp,
    compared=_compared,
    epoch=_epoch,
    group=_group,
    epoch_group=_epoch_group,
    reading_words=("SELECT", "WITH", "VALUES", "EXPLAIN"),
    lexis=Lexis(name_quotes=(('"', '"'), ("`", "`"), ("[", "]"))),
)
