"""Prometheus' template functions, for the labels and annotations of rules."""

import ipaddress
from collections.abc import Callable, Sequence
from functools import lru_cache
from urllib.parse import quote_plus, urlsplit

import re2

from detectviz.contracts.durations import DurationError, parse_duration_s
from detectviz.gotemplate.builtins import GO_FUNCTIONS
from detectviz.gotemplate.errors import FunctionError
from detectviz.gotemplate.functions import Functions, as_list, as_struct, as_text
from detectviz.gotemplate.humanize import (
    as_number,
    humanize,
    humanize1024,
    humanize_duration,
    humanize_percentage,
    humanize_timestamp,
)
from detectviz.gotemplate.moments import MOMENT_METHODS, Moment
from detectviz.gotemplate.values import LARGEST_TEXT, Struct, Value, to_text

Querier = Callable[[str], Sequence[Struct]]
_PATTERN_MEMORY_BYTES = 1 << 20


@lru_cache(maxsize=256)
def _pattern(text: str) -> "re2._Regexp":
    options = re2.Options()
    options.max_mem = _PATTERN_MEMORY_BYTES
    options.log_errors = False
    try:
        return re2.compile(text, options)
    except re2.error as error:
        raise FunctionError(f"error parsing regexp: {error}") from error


def _match(pattern: Value, text: Value) -> bool:
    return _pattern(as_text(pattern)).search(as_text(text)) is not None


def _replace_all(pattern: Value, replacement: Value, text: Value) -> str:
    compiled, pieces = _go_replacement(as_text(pattern), as_text(replacement))
    size = 0
    result: list[str] = []
    source, end = as_text(text), 0
    for match in compiled.finditer(source):
        if result and match.end() == end:
            continue  # Go ignores an empty match right behind the one before
        result.append(source[end : match.start()])
        end = match.end()
        for piece in pieces:
            expanded = piece if isinstance(piece, str) else match.group(piece[0]) or ""
            size += len(expanded)
            if size > LARGEST_TEXT:
                raise FunctionError(f"its text is longer than {LARGEST_TEXT}")
            result.append(expanded)
    return "".join(result) + source[end:]


@lru_cache(maxsize=256)
def _go_replacement(
    pattern: str, replacement: str
) -> tuple["re2._Regexp", tuple[str | tuple[int | str], ...]]:
    """Read Go's replacement template: ``$1``, ``${name}``, ``$$``; an unknown group is empty."""
    compiled = _pattern(pattern)
    pieces: list[str | tuple[int | str]] = []
    rest = replacement
    while rest:
        before, dollar, rest = rest.partition("$")
        pieces.append(before)
        if not dollar:
            break
        name, rest = _group_name(rest)
        if name is None:
            pieces.append("$")
        elif name.isdigit():
            if int(name) <= compiled.groups:
                pieces.append((int(name),))
        elif name in compiled.groupindex:
            pieces.append((name,))
    return compiled, tuple(pieces)


def _group_name(rest: str) -> tuple[str | None, str]:
    if rest.startswith("$"):
        return None, rest[1:]
    if rest.startswith("{"):
        name, brace, after = rest[1:].partition("}")
        return (name, after) if brace and name else (None, rest)
    length = 0
    while length < len(rest) and (rest[length].isalnum() or rest[length] == "_"):
        length += 1
    return (rest[:length], rest[length:]) if length else (None, rest)


def _one(character: str, changed: str) -> str:
    """Return a changed letter if it is one letter still: Go never makes two of one (ß)."""
    return changed if len(changed) == 1 else character


def _title(text: Value) -> str:
    """Upper-case the first letter of each word, as Go's strings.Title does."""
    shown, previous = [], " "
    for character in as_text(text):
        is_inside = previous.isalnum() or previous == "_"
        shown.append(character if is_inside else _one(character, character.title()))
        previous = character
    return "".join(shown)


def _split_host_port(text: str) -> tuple[str, str] | None:
    host, colon, port = text.rpartition(":")
    if not colon:
        return None
    if host.startswith("[") and host.endswith("]"):
        return host[1:-1], port
    return None if set(host) & set(":[]") or set(port) & set("[]") else (host, port)


def _strip_port(text: Value) -> str:
    parts = _split_host_port(as_text(text))
    return parts[0] if parts else as_text(text)


def _strip_domain(text: Value) -> str:
    given = as_text(text)
    host, port = _split_host_port(given) or (given, "")
    try:
        ipaddress.ip_address(host)
    except ValueError:
        first = host.partition(".")[0]
        return f"{first}:{port}" if port else first
    return given


def _args(*values: Value) -> dict[str, Value]:
    return {f"arg{index}": value for index, value in enumerate(values)}


def _first(vector: Value) -> Value:
    items = as_list(vector)
    if not items:
        raise FunctionError("first() called on vector with no elements")
    return items[0]


def _sample_label(name: str, sample: Value) -> str:
    labels = as_struct(sample).get("Labels")
    return str(labels.get(name, "")) if isinstance(labels, dict) else ""


def _sort_by_label(label: Value, vector: Value) -> list[Value]:
    name = as_text(label)
    return sorted(as_list(vector), key=lambda sample: _sample_label(name, sample))


def _join(separator: Value, items: Value) -> str:
    return as_text(separator).join(to_text(item) for item in as_list(items))


def _duration(text: Value) -> float:
    try:
        return parse_duration_s(as_text(text))
    except DurationError as error:
        raise FunctionError(str(error)) from error


def _graph_link(expression: Value) -> str:
    return f"/graph?g0.expr={quote_plus(as_text(expression))}&g0.tab=0"


def _table_link(expression: Value) -> str:
    return f"/graph?g0.expr={quote_plus(as_text(expression))}&g0.tab=1"


_PLAIN_FUNCTIONS = GO_FUNCTIONS.extended(
    {
        "args": _args,
        "first": _first,
        "graphLink": _graph_link,
        "humanize": humanize,
        "humanize1024": humanize1024,
        "humanizeDuration": humanize_duration,
        "humanizePercentage": humanize_percentage,
        "humanizeTimestamp": humanize_timestamp,
        "join": _join,
        "label": lambda name, sample: _sample_label(as_text(name), sample),
        "match": _match,
        "parseDuration": _duration,
        "reReplaceAll": _replace_all,
        "safeHtml": as_text,
        "sortByLabel": _sort_by_label,
        "stringSlice": lambda *items: [as_text(item) for item in items],
        "stripDomain": _strip_domain,
        "stripPort": _strip_port,
        "strvalue": lambda sample: _sample_label("__value__", sample),
        "tableLink": _table_link,
        "title": _title,
        "toLower": lambda text: "".join(_one(each, each.lower()) for each in as_text(text)),
        "toTime": lambda value: Moment(as_number(value)),
        "toUpper": lambda text: "".join(_one(each, each.upper()) for each in as_text(text)),
        "trimSpace": lambda text: as_text(text).strip(),
        "value": lambda sample: as_struct(sample)["Value"],
    },
    MOMENT_METHODS,
)


def _no_query(expression: str) -> Sequence[Struct]:
    raise FunctionError("queries are not available here")


def prometheus_functions(*, query: Querier = _no_query, external_url: str = "") -> Functions:
    """Return what a rule's templates may call.

    ``query`` answers an expression at the evaluation's time with ``sample(…)`` structs; it may
    raise FunctionError. Semantics of Prometheus' ``template`` package.
    """
    return _PLAIN_FUNCTIONS.extended(
        {
            "query": lambda expression: list(query(as_text(expression))),
            "pathPrefix": lambda: urlsplit(external_url).path.rstrip("/"),
            "externalURL": lambda: external_url,
        }
    )


def sample(labels: dict[str, Value], value: float) -> Struct:
    """Return one element of a query's answer as templates see it."""
    return Struct({"Labels": labels, "Value": value})
