"""How ClickHouse writes points in time."""

from typing import Final

from detectviz.contracts.sql.dialect import Dialect, whole_seconds
from detectviz.contracts.sql.lexis import Lexis


def _group(column: str, step_ms: int) -> str:
    return f"toStartOfInterval({column}, INTERVAL {whole_seconds(step_ms)} SECOND)"


def _epoch_group(column: str, step_ms: int) -> str:
    step_s = whole_seconds(step_ms)
    return f"intDiv({column}, {step_s}) * {step_s}"


DIALECT: Final = Dialect(
    timestamp=lambda time_ms: f"fromUnixTimestamp64Milli({time_ms})",
    epoch=lambda column: f"toUnixTimestamp({column})",
    group=_group,
    epoch_group=_epoch_group,
    alias="`time`",
    reading_words=("SELECT", "WITH", "SHOW", "DESCRIBE", "DESC", "EXPLAIN", "EXISTS"),
    lexis=Lexis(
        name_quotes=(('"', '"'), ("`", "`")),
        has_backslash_escapes=True,
        has_dollar_quotes=True,
    ),
)
