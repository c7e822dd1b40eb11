"""What a variable becomes at its place, for each language.

The rule everywhere: a value stays one value. In a string it cannot end the string, in code it is a
literal or a plain word; where neither can be had, the query is refused and says what to write.
"""

from collections.abc import Callable, Mapping
from urllib.parse import quote

import re2

from detectviz.queries.errors import VariableError
from detectviz.queries.variables.formats import formatted, regex_of
from detectviz.queries.variables.model import Language, Variable
from detectviz.queries.variables.scanner import Place, Reference

_NUMBER = re2.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_DURATION = re2.compile(r"(?:[0-9]+(?:ms|us|ns|mo|s|m|h|d|w|y))+")
_WORD = re2.compile(r"[A-Za-z_:][A-Za-z0-9_:]*")
_GRAPHITE = re2.compile(r"[A-Za-z0-9_.:#%+@=-]+")
_PROMQL_WORDS = frozenset(
    {
        "and", "or", "unless", "by", "without", "on", "ignoring", "group_left", "group_right",
        "offset", "bool", "atan2", "start", "end", "inf", "nan", "json", "logfmt", "line_format",
        "label_format", "unwrap",
    }
)  # fmt: skip

Escape = Callable[[Variable, Reference], str]


def escaped(language: Language, variable: Variable, reference: Reference) -> str:
    """Return the text to put in a variable's place; raise VariableError where none is safe."""
    place = reference.region.place
    if place is Place.COMMENT:
        raise _refused(reference, "a variable cannot stand in a comment or a $$ text")
    if not variable.values:
        raise _refused(reference, "it has no value")
    if variable.is_own:
        return formatted(variable, reference.format or "raw")
    return _ESCAPES[language](variable, reference)


def _refused(reference: Reference, why: str) -> VariableError:
    return VariableError(f"{reference.spelling}: {why}")


def _single(variable: Variable, reference: Reference, hint: str) -> str:
    """Return the text for a place that takes one value; an explicit format may join several."""
    if reference.format:
        return formatted(variable, reference.format)
    if len(variable.values) > 1:
        raise _refused(reference, f"it has {len(variable.values)} values; {hint}")
    return variable.values[0]


def _only_numbers(variable: Variable, reference: Reference, hint: str) -> str:
    """Return numbers or durations joined by commas: what is no danger in code."""
    if not all(_NUMBER.fullmatch(each) or _DURATION.fullmatch(each) for each in variable.values):
        raise _refused(reference, hint)
    return formatted(variable, reference.format)


def _plain(variable: Variable, reference: Reference) -> str:
    return formatted(variable, reference.format or "csv")


def _url(variable: Variable, reference: Reference) -> str:
    return quote(formatted(variable, reference.format or "csv"), safe="")


# --- PromQL and LogQL --------------------------------------------------------------------------
def _promql(variable: Variable, reference: Reference) -> str:
    if reference.region.place is Place.CODE:
        return _promql_code(variable, reference)
    if reference.before.endswith(("=~", "!~", "|~")):
        is_raw = reference.format != ""
        text = formatted(variable, reference.format) if is_raw else regex_of(variable.values)
    else:
        text = _single(variable, reference, 'write =~ "$…" to match any of them')
    return _go_string(text, reference)


def _go_string(text: str, reference: Reference) -> str:
    quote_mark = reference.region.opening
    if quote_mark == "`":
        if "`" in text:
            raise _refused(reference, 'a value with ` cannot stand between `…`; write "…"')
        return text
    text = text.replace("\\", "\\\\").replace(quote_mark, f"\\{quote_mark}")
    return text.replace("\n", "\\n").replace("\r", "\\r")


def _promql_code(variable: Variable, reference: Reference) -> str:
    for each in variable.values:
        is_word = _WORD.fullmatch(each) and each.lower() not in _PROMQL_WORDS
        if not (is_word or _NUMBER.fullmatch(each) or _DURATION.fullmatch(each)):
            raise _refused(
                reference,
                f"{each[:50]!r} cannot stand here: only names, numbers and durations can;"
                ' other texts belong between quotes, as in {label="$…"}',
            )
    return ", ".join(variable.values)


# --- SQL ---------------------------------------------------------------------------------------
def _sql(variable: Variable, reference: Reference, *, has_escapes: bool = False) -> str:
    region = reference.region
    if region.place is Place.NAME:
        text = _single(variable, reference, "a name is one")
        return _doubled(text, region.closing, has_escapes=bool(region.escape))
    if region.place is Place.STRING:
        text = _single(variable, reference, "write IN ($…) without quotes")
        return _doubled(text, region.closing, has_escapes=bool(region.escape))
    if reference.format == "identifier":
        mark = "`" if has_escapes else '"'
        return ", ".join(
            f"{mark}{_doubled(each, mark, has_escapes=has_escapes)}{mark}"
            for each in variable.values
        )
    if reference.format in {"", "sqlstring", "singlequote"}:
        if variable.is_numeric and not reference.format:
            return _only_numbers_list(variable, reference)
        return ", ".join(_sql_literal(each, has_escapes=has_escapes) for each in variable.values)
    return _only_numbers(
        variable,
        reference,
        "outside quotes this format is for numbers alone; leave the format away for texts, or"
        " write :identifier for names",
    )


def _only_numbers_list(variable: Variable, reference: Reference) -> str:
    if not all(_NUMBER.fullmatch(each) for each in variable.values):
        raise _refused(reference, "NaN and infinities are no numbers of SQL")
    return ", ".join(variable.values)


def _sql_literal(text: str, *, has_escapes: bool) -> str:
    return f"'{_doubled(text, chr(39), has_escapes=has_escapes)}'"


def _doubled(text: str, mark: str, *, has_escapes: bool) -> str:
    if has_escapes:
        text = text.replace("\\", "\\\\")
    return text.replace(mark, mark * 2)


def _sql_with_escapes(variable: Variable, reference: Reference) -> str:
    return _sql(variable, reference, has_escapes=True)


def _postgresql(variable: Variable, reference: Reference) -> str:
    is_default = reference.region.place is Place.CODE and reference.format in {"", "sqlstring"}
    if is_default and any("\\" in each for each in variable.values):
        # E'' means the same whatever standard_conforming_strings says.
        return ", ".join(
            f"E'{_doubled(each, chr(39), has_escapes=True)}'" for each in variable.values
        )
    return _sql(variable, reference)


# --- the others --------------------------------------------------------------------------------
def _backslashed(text: str, mark: str) -> str:
    return text.replace("\\", "\\\\").replace(mark, f"\\{mark}").replace("\n", "\\n")


def _slashed(variable: Variable, reference: Reference, *, more: str = "/") -> str:
    """Return what stands in /…/."""
    if not reference.format:
        return regex_of(variable.values, more=more).replace("\n", "\\n")
    text = formatted(variable, reference.format)
    if "/" in text or "\\" in text or "\n" in text:
        raise _refused(reference, "a value with / or \\ cannot stand raw in a regular expression")
    return text


def _lucene(variable: Variable, reference: Reference) -> str:
    place = reference.region.place
    if place is Place.REGEX:
        return _slashed(variable, reference, more='/"~@#&<>-')
    if place is Place.STRING:
        return _backslashed(_single(variable, reference, "write it without quotes"), '"')
    if reference.format not in {"", "lucene"}:
        return _only_numbers(variable, reference, "outside quotes leave the format away")
    phrases = [f'"{_backslashed(each, chr(34))}"' for each in variable.values]
    return phrases[0] if len(phrases) == 1 else f"({' OR '.join(phrases)})"


def _influxql(variable: Variable, reference: Reference) -> str:
    region = reference.region
    if region.place is Place.REGEX:
        return _slashed(variable, reference)
    if region.place is not Place.CODE:
        text = _single(variable, reference, "write =~ /^$…$/ to match any of them")
        return _backslashed(text, region.closing)
    if reference.format == "identifier":
        return ", ".join(f'"{_backslashed(each, chr(34))}"' for each in variable.values)
    if variable.is_numeric or reference.format:
        return _only_numbers(
            variable,
            reference if reference.format else _with_format(reference, "csv"),
            "outside quotes this is for numbers alone; write '$…' or :identifier",
        )
    return f"'{_backslashed(_single(variable, reference, 'write =~ /^$…$/'), chr(39))}'"


def _flux(variable: Variable, reference: Reference) -> str:
    place = reference.region.place
    if place is Place.REGEX:
        return _slashed(variable, reference)
    if place is Place.STRING:
        return _flux_text(_single(variable, reference, "write contains(set: $…) without quotes"))
    if variable.is_numeric or reference.format:
        return _only_numbers(
            variable,
            reference if reference.format else _with_format(reference, "csv"),
            "outside quotes leave the format away",
        )
    literals = [f'"{_flux_text(each)}"' for each in variable.values]
    return literals[0] if len(literals) == 1 else f"[{', '.join(literals)}]"


def _flux_text(text: str) -> str:
    return _backslashed(text, '"').replace("${", "\\${")


def _with_format(reference: Reference, name: str) -> Reference:
    return Reference(
        name=reference.name,
        format=name,
        spelling=reference.spelling,
        region=reference.region,
        before=reference.before,
    )


def _graphite(variable: Variable, reference: Reference) -> str:
    wrong = next((each for each in variable.values if not _GRAPHITE.fullmatch(each)), None)
    if wrong is not None:
        raise _refused(reference, f"{wrong[:50]!r} is no part of a Graphite path")
    return formatted(variable, reference.format or "glob")


_ESCAPES: Mapping[Language, Escape] = {
    Language.PLAIN: _plain,
    Language.URL: _url,
    Language.PROMQL: _promql,
    Language.LOGQL: _promql,
    Language.SQL: _sql,
    Language.SQLITE: _sql,
    Language.MSSQL: _sql,
    Language.POSTGRESQL: _postgresql,
    Language.MYSQL: _sql_with_escapes,
    Language.CLICKHOUSE: _sql_with_escapes,
    Language.LUCENE: _lucene,
    Language.INFLUXQL: _influxql,
    Language.FLUX: _flux,
    Language.GRAPHITE: _graphite,
}
