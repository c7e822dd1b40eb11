"""One line of a text format."""

import re
from dataclasses import dataclass
from typing import Final

from detectviz.contracts.exposition.cache import Comment
from detectviz.contracts.exposition.result import (
    NO_TIMESTAMP,
    Exemplar,
    ExpositionError,
    MetricType,
)
from detectviz.contracts.exposition.series import SERIES, label_pairs, unescape

# What float() reads and Go's ParseFloat does too: no underscores, no blanks, no hexadecimals.
VALUE_BYTES: Final = b"0123456789+-.eEinfatyINFATY"
LARGEST_MS: Final = 2**62
_TOKEN: Final = re.compile(rb"[ \t]*+([^ \t]++)")  # noqa: TID251 - our own constant
_COMMENT: Final = re.compile(  # noqa: TID251 - our own constant
    rb'#[ \t]*+(HELP|TYPE|UNIT)[ \t]++(?:([a-zA-Z_:][a-zA-Z0-9_:]*+)|"((?:[^"\\]|\\.)++)")'
    rb"(?:[ \t]++(.*+))?+$"
)
_KEYWORD: Final = re.compile(rb"#[ \t]*+(?:HELP|TYPE|UNIT)(?:[ \t]|$)")  # noqa: TID251 - our own
_EXEMPLAR: Final = re.compile(  # noqa: TID251 - our own constant
    rb'[ \t]*+#[ \t]*+(\{(?:[^"}]|"(?:[^"\\]|\\.)*+")*+\})'
)
_LONGEST_EXEMPLAR: Final = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A sample as it stands in its line. ``is_plain``: nothing follows the value."""

    token: bytes
    value: float
    timestamp_ms: int
    exemplars: tuple[Exemplar, ...]
    is_plain: bool


def read_sample(line: bytes, *, is_openmetrics: bool) -> Line:
    """Return the sample of a line; raise ExpositionError with its column."""
    start = len(line) - len(line.lstrip(b" \t"))
    found = SERIES.match(line, start)
    if found is None or line[found.end() : found.end() + 1] == b"{":
        what = "a metric name" if found is None else "braces that are closed"
        raise ExpositionError(
            f"expected {what}", line=1, column=(found.end() if found else start) + 1
        )
    token = found.group().rstrip(b" \t") + b" "
    value, place = _number(line, found.end(), "a value")
    timestamp_ms = NO_TIMESTAMP
    exemplars: tuple[Exemplar, ...] = ()
    if line[place:].strip(b" \t") and line[place:].lstrip(b" \t")[:1] != b"#":
        timestamp_ms, place = _timestamp(line, place, is_openmetrics=is_openmetrics)
    if is_openmetrics and line[place:].strip(b" \t"):
        exemplars, place = _exemplar(line, place)
    if line[place:].strip(b" \t"):
        column = len(line) - len(line[place:].lstrip(b" \t")) + 1
        raise ExpositionError("expected the end of the line", line=1, column=column)
    is_plain = line.startswith(token) and not line[len(token) :].translate(None, VALUE_BYTES)
    return Line(
        token=token,
        value=value,
        timestamp_ms=timestamp_ms,
        exemplars=exemplars,
        is_plain=is_plain,
    )


def read_comment(line: bytes, *, is_openmetrics: bool) -> Comment | None:
    """Return what a line that starts with # says, None for a remark."""
    found = _COMMENT.match(line)
    if found is None:
        if _KEYWORD.match(line) or is_openmetrics:
            raise ExpositionError("expected HELP, TYPE or UNIT of a metric", line=1, column=1)
        return None
    keyword, plain, quoted, rest = found.groups()
    family = unescape(_text(plain or quoted, line, found.start(2)))
    text = _text(rest or b"", line, found.start(4))
    if keyword == b"TYPE":
        text = _type_of(text.strip(), found.start(4))
    elif keyword == b"HELP":
        text = unescape(text)
    elif text and not family.endswith(text):
        raise ExpositionError(f"unit {text} is no suffix of metric {family}", line=1, column=1)
    return Comment(keyword=keyword.decode(), family=family, text=text)


def _type_of(text: str, place: int) -> str:
    word = "unknown" if text == "untyped" else text
    if word not in frozenset(MetricType):
        raise ExpositionError(f"invalid metric type {text[:40]!r}", line=1, column=place + 1)
    return word


def _text(raw: bytes, line: bytes, place: int) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        column = max(place, 0) + error.start + 1
        raise ExpositionError("not UTF-8", line=1, column=column) from error


def _number(line: bytes, place: int, what: str) -> tuple[float, int]:
    found = _TOKEN.match(line, place)
    if found is None:
        raise ExpositionError(f"expected {what}", line=1, column=place + 1)
    text = found.group(1)
    try:
        if not text.translate(None, VALUE_BYTES):
            return float(text), found.end()
    except ValueError:
        pass
    shown = text[:40].decode("ascii", "replace")
    raise ExpositionError(f"expected {what}, found {shown!r}", line=1, column=found.start(1) + 1)


def _timestamp(line: bytes, place: int, *, is_openmetrics: bool) -> tuple[int, int]:
    """Read milliseconds, of OpenMetrics seconds."""
    number, end = _number(line, place, "a timestamp")
    time_ms = number * 1000 if is_openmetrics else number
    if not -LARGEST_MS < time_ms < LARGEST_MS or (not is_openmetrics and number % 1):
        raise ExpositionError("expected a timestamp", line=1, column=place + 2)
    text = line[place:end].strip(b" \t")
    if not is_openmetrics and text.lstrip(b"+-").isdigit():
        return int(text), end
    return round(time_ms), end


def _exemplar(line: bytes, place: int) -> tuple[tuple[Exemplar, ...], int]:
    found = _EXEMPLAR.match(line, place)
    if found is None:
        raise ExpositionError("expected an exemplar or the end of the line", line=1, column=place)
    labels = {}
    for key, text in label_pairs(line[: found.end()], found.start(1)):
        if key is None or key in labels:
            raise ExpositionError("expected labels, each once", line=1, column=found.start(1) + 1)
        labels[key] = text
    if sum(len(key) + len(text) for key, text in labels.items()) > _LONGEST_EXEMPLAR:
        raise ExpositionError(
            f"the exemplar's labels exceed {_LONGEST_EXEMPLAR} characters",
            line=1,
            column=found.start(1) + 1,
        )
    value, place = _number(line, found.end(), "the exemplar's value")
    timestamp_ms = None
    if line[place:].strip(b" \t"):
        timestamp_ms, place = _timestamp(line, place, is_openmetrics=True)
    return (Exemplar(labels=labels, value=value, timestamp_ms=timestamp_ms),), place
