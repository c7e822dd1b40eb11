"""Parameters of Prometheus' HTTP API."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime

from django.http import HttpRequest, QueryDict

from detectviz.contracts.durations import DurationError, parse_duration_ms
from detectviz.promql import nodes
from detectviz.promql.errors import ParseError
from detectviz.promql.parser import parse
from detectviz.promql.patterns import matches
from detectviz.tsdb.interface import Matcher
from detectviz.tsdb.labels import MAX_TIMESTAMP_MS

EARLIEST_MS, LATEST_MS = -MAX_TIMESTAMP_MS, MAX_TIMESTAMP_MS
_MS_PER_S = 1000
_LARGEST_S = (2**63 - 1) / 1e9
# How Go's clients write the ends of time.
_ENDS_OF_TIME = {
    "-292273086-05-16T16:47:06Z": EARLIEST_MS,
    "292277025-08-18T07:12:54.999999999Z": LATEST_MS,
}
_MICROSECOND_DIGITS = 6


class ParameterError(ValueError):
    """A parameter is wrong or missing; the message is Prometheus'."""

    @classmethod
    def named(cls, name: str, reason: object) -> "ParameterError":
        """Say which parameter."""
        return cls(f'invalid parameter "{name}": {reason}')


@dataclass(frozen=True, slots=True)
class Parameters:
    """A request's parameters: those of a form's body come before those of the address."""

    body: QueryDict
    address: QueryDict

    @classmethod
    def of(cls, request: HttpRequest) -> "Parameters":
        """Read a request's."""
        parameters = cls(request.POST, request.GET)
        both = (*request.POST.lists(), *request.GET.lists())
        if any("\0" in text for _, texts in both for text in texts):
            raise ParameterError("parameters must not contain NUL characters")
        return parameters

    def text(self, name: str) -> str:
        """Return a text, empty where it was not given."""
        found = self.body if name in self.body else self.address
        return found.getlist(name)[0] if name in found else ""

    def texts(self, name: str) -> list[str]:
        """Return all of a repeated parameter."""
        return [*self.body.getlist(name), *self.address.getlist(name)]

    def time_ms(self, name: str, default_ms: int | None = None) -> int:
        """Return a time as Unix milliseconds; without a default it must be there."""
        text = self.text(name)
        if not text and default_ms is not None:
            return default_ms
        try:
            return parse_time_ms(text)
        except ValueError as error:
            raise ParameterError.named(name, error) from None

    def duration_ms(self, name: str) -> int:
        """Return a duration: seconds, or Prometheus' spelling."""
        return round(self.duration_s(name) * _MS_PER_S * _MS_PER_S) // _MS_PER_S

    def duration_s(self, name: str) -> float:
        """Return the same in seconds."""
        text = self.text(name)
        try:
            return parse_duration_parameter_s(text)
        except ValueError as error:
            raise ParameterError.named(name, error) from None

    def limit(self, name: str = "limit") -> int:
        """Return a limit; 0 is none."""
        text = self.text(name)
        if not text:
            return 0
        if not (text.removeprefix("-").isascii() and text.removeprefix("-").isdecimal()):
            raise ParameterError.named(name, f'parsing "{text}": invalid syntax')
        if text.startswith("-") or len(text) > len(str(2**63)):
            raise ParameterError.named(name, "limit must be non-negative")
        return int(text)

    def is_true(self, name: str) -> bool:
        """Return a switch as Go's ``strconv.ParseBool`` reads it; not given is false."""
        text = self.text(name)
        if text in {"1", "t", "T", "true", "TRUE", "True"}:
            return True
        if text in {"", "0", "f", "F", "false", "FALSE", "False"}:
            return False
        raise ParameterError.named(name, "not a boolean")

    def selectors(self, *, is_required: bool = False) -> list[tuple[Matcher, ...]]:
        """Return the matchers of each ``match[]``."""
        texts = self.texts("match[]")
        if is_required and not texts:
            raise ParameterError("no match[] parameter provided")
        return [_selector(text) for text in texts]

    def span_ms(self) -> tuple[int, int]:
        """Return ``start`` and ``end`` of endpoints where both may be left out."""
        start_ms = self.time_ms("start", EARLIEST_MS)
        end_ms = self.time_ms("end", LATEST_MS)
        if end_ms < start_ms:
            raise ParameterError.named("end", "end timestamp must not be before start time")
        return start_ms, end_ms


def parse_time_ms(text: str) -> int:
    """Return what Unix seconds or RFC 3339 mean, in milliseconds; ValueError otherwise."""
    if text in _ENDS_OF_TIME:
        return _ENDS_OF_TIME[text]
    seconds = _number(text)
    if seconds is None:
        seconds = _rfc3339_s(text)
    if seconds is None or not abs(seconds) < LATEST_MS / _MS_PER_S:
        raise ValueError(f'cannot parse "{text}" to a valid timestamp')
    return round(seconds * _MS_PER_S)


def parse_duration_parameter_s(text: str) -> float:
    """Return what a number or Prometheus' spelling mean, in seconds; ValueError otherwise."""
    seconds = _number(text)
    if seconds is not None:
        if not abs(seconds) <= _LARGEST_S:
            raise ValueError(f'cannot parse "{text}" to a valid duration. It overflows int64')
        return seconds
    try:
        return parse_duration_ms(text) / _MS_PER_S
    except DurationError:
        raise ValueError(f'cannot parse "{text}" to a valid duration') from None


def _number(text: str) -> float | None:
    if not text or text != text.strip() or not text.isascii() or "_" in text:
        return None
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else math.inf


def _rfc3339_s(text: str) -> float | None:
    if len(text) < len("2006-01-02T15:04:05Z") or text[10] not in "Tt":
        return None
    main, dot, rest = text.partition(".")
    if dot:  # Python reads microseconds, Go writes up to nanoseconds
        digits = len(rest) - len(rest.lstrip("0123456789"))
        main += "." + rest[: min(digits, _MICROSECOND_DIGITS)] + rest[digits:]
    try:
        moment = datetime.fromisoformat(main)
    except ValueError:
        return None
    if moment.tzinfo is None:
        return None
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()


def _selector(text: str) -> tuple[Matcher, ...]:
    try:
        node = parse(text)
    except ParseError as error:
        raise ParameterError.named("match[]", error) from None
    if not isinstance(node, nodes.VectorSelector) or _is_moved(node):
        raise ParameterError.named("match[]", f"{text!r} is no series selector")
    if all(matches(matcher, "") for matcher in node.matchers):
        raise ParameterError("match[] must contain at least one non-empty matcher")
    return node.matchers


def _is_moved(node: nodes.VectorSelector) -> bool:
    return bool(node.offset_ms) or node.offset_expression is not None or node.at is not None
