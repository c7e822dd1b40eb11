"""How MySQL and MariaDB write points in time."""

from typing import Final

from detectviz.contracts.sql.dialect import Dialect, seconds, whole_seconds
from detectviz.contracts.sql.lexis import Lexis


def _timestamp(time_ms: int) -> str:
    return f"FROM_UNIXTIME({seconds(time_ms)})"


def _epoch(column: str) -> str:
    return f"UNIX_TIMESTAMP({column})"


def _group(column: str, step_ms: int) -> str:
    return _epoch_group(_epoch(column), step_ms)


def _epoch_group(column: str, step_ms: int) -> str:
    step_s = whole_seconds(step_ms)
    return f"({column}) DIV {step_s} * {step_s}"


DIALECT: Final = Dialect(
    timestamp=_timestamp,
    epoch=_epoch,
    group=_group,
    epoch_group=_epoch_group,
    alias="`time`",
    reading_words=("SELECT", "WITH", "VALUES", "TABLE", "SHOW", "EXPLAIN", "DESCRIBE", "DESC"),
    lexis=Lexis(
        name_quotes=(('"', '"'), ("`", "`")), has_backslash_escapes=True, has_hash_comments=True
    ),
)
