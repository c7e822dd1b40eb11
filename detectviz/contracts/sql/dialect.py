"""What a SQL dialect says for the macros."""

from collections.abc import Callable
from dataclasses import dataclass, field

from detectviz.contracts.sql.lexis import Lexis


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How one dialect writes points in time.

    ``timestamp`` turns Unix milliseconds into a literal; ``epoch`` a column into seconds since
    1970; ``group`` a column and a step in milliseconds into the start of its step;
    ``epoch_group`` the same for a column that holds seconds; ``compared`` a column into what
    compares with timestamps. ``reading_words`` are those a statement may begin with.
    """

    timestamp: Callable[[int], str]
    epoch: Callable[[str], str]
    group: Callable[[str, int], str]
    epoch_group: Callable[[str, int], str]
    compared: Callable[[str], str] = str
    alias: str = '"time"'
    reading_words: tuple[str, ...] = ("SELECT", "WITH", "VALUES", "SHOW", "EXPLAIN")
    lexis: Lexis = field(default_factory=Lexis)


def seconds(milliseconds: int) -> str:
    """Return seconds as the shortest literal."""
    return f"{milliseconds / 1000:.15g}"


def whole_seconds(milliseconds: int) -> int:
    """Return seconds, at least one, for dialects that divide whole numbers."""
    return max(1, round(milliseconds / 1000))
