"""What strings, names and comments look like in each language."""

from collections.abc import Mapping, Sequence

from detectviz.queries.variables.model import Language
from detectviz.queries.variables.scanner import Place, Region


def _line_comment(opening: str) -> Region:
    return Region(opening=opening, closing="\n", place=Place.COMMENT)


def _after_match(text: str, at: int) -> bool:
    before = text[:at].rstrip()
    return before.endswith(("=~", "!~", ".", ",", "(")) or before.upper().endswith(
        (" FROM", "\nFROM")
    )


def _before_blank(text: str, at: int) -> bool:
    return at + 2 >= len(text) or text[at + 2].isspace()


def _after_e(text: str, at: int) -> bool:
    """Tell whether PostgreSQL reads escapes: E'…'."""
    if at == 0 or text[at - 1] not in "eE":
        return False
    return at == 1 or not (text[at - 2].isalnum() or text[at - 2] in "_$")


_BLOCK = Region(opening="/*", closing="*/", place=Place.COMMENT)
_NESTED = Region(opening="/*", closing="*/", place=Place.COMMENT, is_nested=True)
_SQL_STRING = Region(opening="'", closing="'", place=Place.STRING, is_doubled=True)
_ESCAPED_STRING = Region(opening="'", closing="'", place=Place.STRING, is_doubled=True, escape="\\")
_E_STRING = Region(
    opening="'", closing="'", place=Place.STRING, is_doubled=True, escape="\\", opens=_after_e
)
_QUOTED_NAME = Region(opening='"', closing='"', place=Place.NAME, is_doubled=True)
_BACKTICK_NAME = Region(opening="`", closing="`", place=Place.NAME, is_doubled=True)
_ESCAPED_BACKTICK_NAME = Region(
    opening="`", closing="`", place=Place.NAME, is_doubled=True, escape="\\"
)
_BRACKET_NAME = Region(opening="[", closing="]", place=Place.NAME, is_doubled=True)
_DOUBLE_STRING = Region(opening='"', closing='"', place=Place.STRING, is_doubled=True, escape="\\")
_DOLLAR_QUOTE = Region(opening="$$", closing="$$", place=Place.COMMENT)
_DASHES = _line_comment("--")

_GO_STRINGS = (
    Region(opening='"', closing='"', place=Place.STRING, escape="\\"),
    Region(opening="'", closing="'", place=Place.STRING, escape="\\"),
    Region(opening="`", closing="`", place=Place.STRING),
    _line_comment("#"),
)
_SLASHED = Region(opening="/", closing="/", place=Place.REGEX, escape="\\", opens=_after_match)

LEXICONS: Mapping[Language, Sequence[Region]] = {
    Language.PLAIN: (),
    Language.URL: (),
    Language.PROMQL: _GO_STRINGS,
    Language.LOGQL: _GO_STRINGS,
    Language.SQL: (_SQL_STRING, _QUOTED_NAME, _DASHES, _BLOCK),
    Language.SQLITE: (
        _SQL_STRING, _QUOTED_NAME, _BACKTICK_NAME, _BRACKET_NAME, _DASHES, _BLOCK,
    ),
    Language.POSTGRESQL: (
        _E_STRING, _SQL_STRING, _QUOTED_NAME, _DOLLAR_QUOTE, _DASHES, _NESTED,
    ),
    Language.MYSQL: (
        _ESCAPED_STRING, _DOUBLE_STRING, _BACKTICK_NAME,
        Region(opening="--", closing="\n", place=Place.COMMENT, opens=_before_blank),
        _line_comment("#"), _BLOCK,
    ),
    Language.MSSQL: (_SQL_STRING, _QUOTED_NAME, _BRACKET_NAME, _DASHES, _NESTED),
    Language.CLICKHOUSE: (
        _ESCAPED_STRING,
        Region(opening='"', closing='"', place=Place.NAME, is_doubled=True, escape="\\"),
        _ESCAPED_BACKTICK_NAME, _DASHES, _line_comment("#"), _BLOCK,
    ),
    Language.LUCENE: (
        Region(opening='"', closing='"', place=Place.STRING, escape="\\"),
        Region(opening="/", closing="/", place=Place.REGEX, escape="\\"),
    ),
    Language.INFLUXQL: (
        Region(opening="'", closing="'", place=Place.STRING, escape="\\"),
        Region(opening='"', closing='"', place=Place.NAME, escape="\\"),
        _DASHES, _BLOCK, _SLASHED,
    ),
    Language.FLUX: (
        Region(opening='"', closing='"', place=Place.STRING, escape="\\"),
        _line_comment("//"), _SLASHED,
    ),
    Language.GRAPHITE: (
        Region(opening='"', closing='"', place=Place.STRING),
        Region(opening="'", closing="'", place=Place.STRING),
    ),
}  # fmt: skip
