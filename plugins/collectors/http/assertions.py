"""What must hold of an answer; pure functions over the response."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal, cast

import jsonpath
import re2
from jsonpath.exceptions import JSONPathError

from detectviz.contracts.config import get_bool, get_text
from detectviz.contracts.errors import ConfigurationError
from detectviz.contracts.types import JsonObject, JsonValue

Severity = Literal["down", "degraded"]

SHOWN_CHARACTERS: Final = 100
MOST_MATCHES: Final = 1_000
# Each recursive descent multiplies the work by the size of the document.
MOST_DESCENTS: Final = 2
_NUMERIC: Final = frozenset({"lt", "lte", "gt", "gte"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What assertions may look at. ``certificate_days`` is None without TLS."""

    status_code: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    response_time_ms: float
    certificate_days: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that is not as it should be."""

    severity: Severity
    message: str
    is_regex: bool = False


def judge_assertions(assertions: Sequence[JsonObject], answer: Answer) -> list[Finding]:
    """Return a finding for each assertion that does not hold."""
    return [
        finding
        for index, assertion in enumerate(assertions)
        if (finding := _judge(assertion, answer, index)) is not None
    ]


def _judge(assertion: JsonObject, answer: Answer, index: int) -> Finding | None:
    source, operator = get_text(assertion, "source"), get_text(assertion, "operator")
    place = f"/assertions/{index}"
    try:
        values = _values(assertion, answer, place)
        holds = _holds(operator, values, assertion, place)
    except _UnreadableError as error:
        return _finding(assertion, str(error), operator)
    if holds:
        return None
    shown = ", ".join(_show(value) for value in values[:3]) or "nothing"
    if source == "body":
        shown = f"a body of {len(answer.body)} bytes"
    wanted = f" {_show(get_text(assertion, 'value'))}" if "exists" not in operator else ""
    message = f"{_name(assertion)} should be: {operator.replace('_', ' ')}{wanted}; got {shown}"
    return _finding(assertion, message, operator)


def _finding(assertion: JsonObject, message: str, operator: str) -> Finding:
    severity = cast("Severity", get_text(assertion, "severity", "down"))
    return Finding(severity=severity, message=message, is_regex=operator.endswith("matches"))


class _UnreadableError(Exception):
    """The answer cannot be read as the assertion needs it."""


def _name(assertion: JsonObject) -> str:
    match get_text(assertion, "source"):
        case "header":
            return f"header {get_text(assertion, 'name')}"
        case "json":
            return f"JSON {get_text(assertion, 'path', '$')}"
        case "response_time_ms":
            return "response time (ms)"
        case "certificate_days":
            return "days the certificate is valid"
        case other:
            return other


def _values(assertion: JsonObject, answer: Answer, place: str) -> Sequence[JsonValue]:
    """Return what the assertion looks at; a header or path may give several, or none."""
    match get_text(assertion, "source"):
        case "status":
            return (answer.status_code,)
        case "header":
            wanted = get_text(assertion, "name").lower()
            return tuple(value for name, value in answer.headers if name.lower() == wanted)
        case "response_time_ms":
            return (answer.response_time_ms,)
        case "certificate_days":
            return () if answer.certificate_days is None else (answer.certificate_days,)
        case "json":
            return _json_values(get_text(assertion, "path", "$"), answer.body, place)
        case _:
            return (answer.body.decode("utf-8", "replace"),)


def _json_values(path: str, body: bytes, place: str) -> Sequence[JsonValue]:
    compiled = _compile_path(path, place)
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise _UnreadableError("the body is not JSON") from None
    found: list[JsonValue] = []
    try:
        for match in compiled.finditer(document):
            found.append(cast("JsonValue", match.obj))
            if len(found) >= MOST_MATCHES:
                break
    except (JSONPathError, RecursionError) as error:
        raise _UnreadableError(f"JSONPath {path} cannot be applied: {error}") from None
    return found


@lru_cache(maxsize=1024)
def _compile_path(path: str, place: str) -> jsonpath.JSONPath | jsonpath.CompoundJSONPath:
    if path.count("..") > MOST_DESCENTS or "=~" in path:
        raise ConfigurationError(
            f"Use at most {MOST_DESCENTS} times .. and no =~ in a JSONPath; "
            "the operator matches has patterns.",
            field=f"{place}/path",
        )
    try:
        return _environment().compile(path)
    except JSONPathError as error:
        reason = str(error).splitlines()[0]
        raise ConfigurationError(
            f"This is not a JSONPath: {reason}", field=f"{place}/path"
        ) from error


@lru_cache(maxsize=1)
def _environment() -> jsonpath.JSONPathEnvironment:
    environment = jsonpath.JSONPathEnvironment()
    for name in ("match", "search"):
        # These run a backtracking engine on patterns and texts that are not ours.
        environment.function_extensions.pop(name, None)
    return environment


def _holds(operator: str, values: Sequence[JsonValue], assertion: JsonObject, place: str) -> bool:
    if operator == "exists":
        return bool(values)
    if operator.startswith("not_"):
        return not _holds(operator[4:], values, assertion, place)
    wanted = get_text(assertion, "value")
    if operator in _NUMERIC:
        limit = _number(wanted)
        if limit is None:
            raise ConfigurationError("Write a number.", field=f"{place}/value")
        numbers = [number for value in values if (number := _number(value)) is not None]
        return any(_COMPARE[operator](number, limit) for number in numbers)
    is_caseless = get_bool(assertion, "ignore_case")
    if operator == "matches":
        pattern = _compile_pattern(wanted, is_caseless, place)
        return any(pattern.search(_text(value)) for value in values)
    return any(_compare_text(operator, value, wanted, is_caseless=is_caseless) for value in values)


_COMPARE: Final[dict[str, Callable[[float, float], bool]]] = {
    "lt": lambda left, right: left < right,
    "lte": lambda left, right: left <= right,
    "gt": lambda left, right: left > right,
    "gte": lambda left, right: left >= right,
}


def _compare_text(operator: str, value: JsonValue, wanted: str, *, is_caseless: bool) -> bool:
    text = _text(value)
    if operator == "equals" and not isinstance(value, str):
        return _equals_json(value, wanted)
    if operator == "contains" and isinstance(value, list):
        return any(_equals_json(entry, wanted) for entry in value)
    if is_caseless:
        text, wanted = text.casefold(), wanted.casefold()
    match operator:
        case "equals":
            return text == wanted
        case "contains":
            return wanted in text
        case "starts_with":
            return text.startswith(wanted)
        case _:
            return text.endswith(wanted)


def _equals_json(value: JsonValue, wanted: str) -> bool:
    """Compare numbers as numbers and structures as JSON, whatever their spelling."""
    if isinstance(value, str):
        return value == wanted
    try:
        parsed = json.loads(wanted)
    except (ValueError, RecursionError):
        return False
    return isinstance(parsed, bool) == isinstance(value, bool) and bool(parsed == value)


@lru_cache(maxsize=1024)
def _compile_pattern(pattern: str, is_caseless: bool, place: str) -> "re2._Regexp":  # noqa: FBT001 - a cache key
    options = re2.Options()
    options.log_errors = False
    options.case_sensitive = not is_caseless
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        raise ConfigurationError(
            f"This is not a pattern in RE2 syntax: {error}", field=f"{place}/value"
        ) from error


def _number(value: JsonValue) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        return float(value)
    except ValueError:
        return None


def _text(value: JsonValue) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _show(value: JsonValue) -> str:
    text = f"{value:.1f}" if isinstance(value, float) else _text(value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"
