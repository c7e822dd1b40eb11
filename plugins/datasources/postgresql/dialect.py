"""How PostgreSQL writes points in time."""

from datetime import UTC, datetime
from typing import Final

from detectviz.contracts.sql.dialect import Dialect, seconds
from detectviz.contracts.sql.lexis import Lexis


def _timestamp(time_ms: int) -> str:
    moment = datetime.fromtimestamp(time_ms / 1000, UTC)
    return f"'{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z'"


def _epoch(column: str) -> str:
    return f"extract(epoch from {column})"


def _group(column: str, step_ms: int) -> str:
    return _epoch_group(_epoch(column), step_ms)


def _epoch_group(column: str, step_ms: int) -> str:
    return f"floor(({column})/{seconds(step_ms)})*{seconds(step_ms)}"


DIALECT: Final = Dialect(
    timestamp=_timestamp,
    epoch=_epoch,
    group=_group,
    epoch_group=_epoch_group,
    reading_words=("SELECT", "WITH", "VALUES", "TABLE", "SHOW", "EXPLAIN"),
    lexis=Lexis(has_escape_strings=True, has_dollar_quotes=True, has_nested_comments=True),
)
