"""Macros of SQL queries, named and meant as Grafana's: ``$__timeFilter(column)`` and the like.

They are found by reading the text token by token; strings and comments stay as they are.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from detectviz.contracts.datasource import TimeRange
from detectviz.contracts.durations import DurationError, format_duration, parse_duration_ms
from detectviz.contracts.errors import QueryError
from detectviz.contracts.sql.dialect import Dialect
from detectviz.contracts.sql.lexis import Token, tokens

_INTERVAL: Final = "$__interval"
_DEEPEST: Final = 8
_SMALLEST_MS: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """What stands where a step of ``$__timeGroup`` has no row; ``value`` None is a gap."""

    step_ms: int
    value: float | Literal["previous"] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Expansion:
    """A query whose macros are filled in, and what they said about filling."""

    sql: str
    fill: Fill | None = None


def expand(sql: str, *, dialect: Dialect, range: TimeRange, interval_ms: int) -> Expansion:  # noqa: A002 - the contract's own word
    """Return ``sql`` with every macro filled in.

    Raise QueryError for a macro there is not, or one whose arguments are wrong.
    """
    expander = _Expander(dialect, range, max(interval_ms, _SMALLEST_MS))
    text = expander.expand(sql, depth=0)
    return Expansion(sql=text, fill=expander.fill)


def first_word(sql: str, dialect: Dialect) -> str:
    """Return the word the statement begins with, in capitals, after comments and brackets."""
    for token in tokens(sql, dialect.lexis):
        if token.kind == "comment" or not token.text.strip(" \t\r\n\f\v("):
            continue
        return token.text.upper()
    return ""


def require_reading(sql: str, dialect: Dialect) -> None:
    """Raise QueryError unless the statement begins as one that reads.

    A courtesy to whoever mistypes, and one more fence; what keeps data safe is the role.
    """
    if first_word(sql, dialect) not in dialect.reading_words:
        words = ", ".join(dialect.reading_words)
        raise QueryError(f"Only statements that read are sent; begin with one of {words}.")


class _Expander:
    def __init__(self, dialect: Dialect, time_range: TimeRange, interval_ms: int) -> None:
        self._dialect = dialect
        self._range = time_range
        self._interval_ms = interval_ms
        self.fill: Fill | None = None
        self._macros: Mapping[str, tuple[range, Callable[..., str]]] = {
            "time": (range(1, 2), lambda column: f"{column} AS {dialect.alias}"),
            "timeEpoch": (range(1, 2), self._time_epoch),
            "timeFilter": (range(1, 2), self._time_filter),
            "timeFrom": (range(2), self._time_from),
            "timeTo": (range(2), self._time_to),
            "timeGroup": (range(2, 4), self._time_group),
            "timeGroupAlias": (range(2, 4), self._time_group_alias),
            "unixEpochFilter": (range(1, 2), self._epoch_filter),
            "unixEpochFrom": (range(1), lambda: str(time_range.start_ms // 1000)),
            "unixEpochTo": (range(1), lambda: str(time_range.end_ms // 1000)),
            "unixEpochNanoFilter": (range(1, 2), self._nano_filter),
            "unixEpochNanoFrom": (range(1), lambda: str(time_range.start_ms * 1_000_000)),
            "unixEpochNanoTo": (range(1), lambda: str(time_range.end_ms * 1_000_000)),
            "unixEpochGroup": (range(2, 4), self._epoch_group),
            "unixEpochGroupAlias": (range(2, 4), self._epoch_group_alias),
            "interval": (range(1), lambda: format_duration(interval_ms / 1000)),
            "interval_ms": (range(1), lambda: str(interval_ms)),
        }

    def expand(self, sql: str, *, depth: int) -> str:
        if depth > _DEEPEST:
            raise QueryError("Macros stand inside of each other too deeply.")
        reader = _Reader(list(tokens(sql, self._dialect.lexis)))
        return "".join(
            self._call(token.text[3:], reader, depth) if token.kind == "macro" else token.text
            for token in reader
        )

    def _call(self, name: str, reader: "_Reader", depth: int) -> str:
        if name not in self._macros:
            known = ", ".join(f"$__{each}" for each in self._macros)
            raise QueryError(f"There is no macro $__{name}; there are {known}.")
        counts, macro = self._macros[name]
        arguments = reader.arguments(name) if max(counts) or reader.is_empty_call() else []
        if len(arguments) not in counts:
            wanted = " or ".join(map(str, counts))
            raise QueryError(f"$__{name} takes {wanted} arguments and has {len(arguments)}.")
        inner = [self._argument(text, depth) for text in arguments]
        return macro(*inner)

    def _argument(self, text: str, depth: int) -> str:
        # A step is read by the macro that takes it; expanded it would be the dialect's own words.
        bare = text.strip().strip("'\"")
        return bare if bare == _INTERVAL else self.expand(text.strip(), depth=depth + 1)

    def _time_epoch(self, column: str) -> str:
        return f"{self._dialect.epoch(column)} AS {self._dialect.alias}"

    def _time_from(self, column: str = "") -> str:
        literal = self._dialect.timestamp(self._range.start_ms)
        return f"{self._dialect.compared(column)} >= {literal}" if column else literal

    def _time_to(self, column: str = "") -> str:
        literal = self._dialect.timestamp(self._range.end_ms)
        return f"{self._dialect.compared(column)} <= {literal}" if column else literal

    def _time_filter(self, column: str) -> str:
        start, end = map(self._dialect.timestamp, (self._range.start_ms, self._range.end_ms))
        return f"{self._dialect.compared(column)} BETWEEN {start} AND {end}"

    def _epoch_filter(self, column: str) -> str:
        start, end = self._range.start_ms // 1000, self._range.end_ms // 1000
        return f"{column} >= {start} AND {column} <= {end}"

    def _nano_filter(self, column: str) -> str:
        start, end = self._range.start_ms * 1_000_000, self._range.end_ms * 1_000_000
        return f"{column} >= {start} AND {column} <= {end}"

    def _time_group(self, column: str, step: str, fill: str = "") -> str:
        return self._dialect.group(column, self._step_ms(step, fill))

    def _time_group_alias(self, column: str, step: str, fill: str = "") -> str:
        return f"{self._time_group(column, step, fill)} AS {self._dialect.alias}"

    def _epoch_group(self, column: str, step: str, fill: str = "") -> str:
        return self._dialect.epoch_group(column, self._step_ms(step, fill))

    def _epoch_group_alias(self, column: str, step: str, fill: str = "") -> str:
        return f"{self._epoch_group(column, step, fill)} AS {self._dialect.alias}"

    def _step_ms(self, text: str, fill: str) -> int:
        bare = text.strip().strip("'\"")
        try:
            step_ms = self._interval_ms if bare == _INTERVAL else parse_duration_ms(bare)
        except DurationError as error:
            raise QueryError(str(error)) from error
        if step_ms <= 0:
            raise QueryError("A step of $__timeGroup is longer than 0s; write it like 5m.")
        if fill:
            self.fill = Fill(step_ms=step_ms, value=_fill_value(fill))
        return step_ms


class _Reader:
    """The tokens that are left, with the arguments of a macro taken out of them."""

    def __init__(self, left: Sequence[Token]) -> None:
        self._left = left
        self._at = 0

    def __iter__(self) -> Iterator[Token]:
        while self._at < len(self._left):
            self._at += 1
            yield self._left[self._at - 1]

    def is_empty_call(self) -> bool:
        """Say whether ``()`` follows, after which a macro without arguments may be written."""
        return [token.text for token in self._left[self._at : self._at + 2]] == ["(", ")"]

    def arguments(self, name: str) -> list[str]:
        """Take ``(…)`` and return the texts between its commas; none where no bracket follows."""
        if self._at >= len(self._left) or self._left[self._at].text != "(":
            return []
        texts, depth = [""], 0
        for token in self:
            depth += (token.text == "(") - (token.text == ")")
            if not depth:
                return texts if len(texts) > 1 or texts[0].strip() else []
            if token.text == "," and depth == 1:
                texts.append("")
            elif not (token.text == "(" and depth == 1 and texts == [""]):
                texts[-1] += token.text
        raise QueryError(f"The arguments of $__{name} do not end; a closing bracket is missing.")


def _fill_value(text: str) -> float | Literal["previous"] | None:
    word = text.strip().strip("'").lower()
    if word == "null":
        return None
    if word == "previous":
        return "previous"
    try:
        return float(word)
    except ValueError as error:
        raise QueryError(f"Fill gaps with NULL, previous or a number, not {text!r}.") from error
