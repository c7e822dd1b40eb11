"""Where strings, comments and quoted names of a SQL text begin and end, for several dialects."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from detectviz.contracts.errors import QueryError

TokenKind = Literal["code", "word", "macro", "quoted", "comment"]
_MACRO = "$__"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lexis:
    """How a dialect writes strings and comments, beyond what all share.

    ``name_quotes`` are (opening, closing) pairs around names.
    """

    name_quotes: tuple[tuple[str, str], ...] = (('"', '"'),)
    has_backslash_escapes: bool = False
    has_escape_strings: bool = False
    has_dollar_quotes: bool = False
    has_hash_comments: bool = False
    has_nested_comments: bool = False


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a SQL text; the texts of all tokens together are the text."""

    kind: TokenKind
    text: str


def tokens(sql: str, lexis: Lexis) -> Iterator[Token]:
    """Yield the tokens of ``sql``: words, macros (``$__name``), quoted text, comments, the rest.

    Raise QueryError for a string or comment that does not end.
    """
    place = 0
    while place < len(sql):
        kind, end = _next(sql, place, lexis)
        yield Token(kind, sql[place:end])
        place = end


def _next(sql: str, place: int, lexis: Lexis) -> tuple[TokenKind, int]:
    if _starts_line_comment(sql, place, lexis):
        end = sql.find("\n", place)
        return "comment", len(sql) if end < 0 else end
    if sql.startswith("/*", place):
        return "comment", _block_comment_end(sql, place, lexis)
    quoted = _quoted_end(sql, place, lexis)
    if quoted is not None:
        return "quoted", quoted
    if sql.startswith(_MACRO, place):
        return "macro", _word_end(sql, place + len(_MACRO))
    if _is_wordlike(sql[place]):
        return "word", _word_end(sql, place)
    return "code", place + 1


def _starts_line_comment(sql: str, place: int, lexis: Lexis) -> bool:
    return sql.startswith("--", place) or (lexis.has_hash_comments and sql[place] == "#")


def _block_comment_end(sql: str, place: int, lexis: Lexis) -> int:
    depth, at = 1, place + 2
    while depth:
        closing, opening = sql.find("*/", at), sql.find("/*", at)
        if closing < 0:
            raise QueryError(f"A comment that begins at character {place + 1} does not end.")
        if lexis.has_nested_comments and 0 <= opening < closing:
            depth, at = depth + 1, opening + 2
        else:
            depth, at = depth - 1, closing + 2
    return at


def _quoted_end(sql: str, place: int, lexis: Lexis) -> int | None:
    """Return where quoted text that begins at ``place`` ends, None where none begins."""
    if sql[place] == "'":
        return _string_end(sql, place, place + 1, "'", escapes=lexis.has_backslash_escapes)
    if lexis.has_escape_strings and sql[place] in "eE" and sql.startswith("'", place + 1):
        return _string_end(sql, place, place + 2, "'", escapes=True)
    for opening, closing in lexis.name_quotes:
        if sql[place] == opening:
            escapes = lexis.has_backslash_escapes and opening == '"'
            return _string_end(sql, place, place + 1, closing, escapes=escapes)
    if lexis.has_dollar_quotes and sql[place] == "$":
        return _dollar_quoted_end(sql, place)
    return None


def _string_end(sql: str, begin: int, place: int, closing: str, *, escapes: bool) -> int:
    while place < len(sql):
        if escapes and sql[place] == "\\":
            place += 2
        elif sql[place] != closing:
            place += 1
        elif sql.startswith(closing, place + 1):
            place += 2
        else:
            return place + 1
    raise QueryError(f"A quotation that begins at character {begin + 1} does not end.")


def _dollar_quoted_end(sql: str, place: int) -> int | None:
    tag_end = _word_end(sql, place + 1)
    if sql.startswith(_MACRO, place) and not sql.startswith("$", tag_end):
        return None
    if not sql.startswith("$", tag_end) or sql[place + 1 : place + 2].isdigit():
        return None
    tag = sql[place : tag_end + 1]
    end = sql.find(tag, tag_end + 1)
    if end < 0:
        raise QueryError(f"A quotation that begins at character {place + 1} does not end.")
    return end + len(tag)


def _word_end(sql: str, place: int) -> int:
    while place < len(sql) and _is_wordlike(sql[place]):
        place += 1
    return place


def _is_wordlike(character: str) -> bool:
    return character.isalnum() or character == "_"
