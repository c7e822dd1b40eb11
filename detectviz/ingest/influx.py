"""Influx line protocol as Prometheus' samples.

Source: the InfluxDB 2.x "Line protocol" reference. The mapping is VictoriaMetrics' and the one
Telegraf's own Prometheus output uses: each field is a metric ``measurement_field`` (just
``measurement`` for a field named ``value``), tags are labels. Numbers and booleans (1, 0) are
samples; a text field has no number and is left out, unless the line has nothing else.
"""

from collections.abc import Iterator
from functools import lru_cache

from detectviz.ingest.batch import Batch, BatchBuilder
from detectviz.ingest.errors import MalformedError
from detectviz.tsdb.interface import METRIC_NAME
from detectviz.tsdb.labels import LabelKey

PRECISIONS_NS = {
    "n": 1,
    "ns": 1,
    "u": 1_000,
    "us": 1_000,
    "µ": 1_000,
    "µs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_NS_PER_MS = 1_000_000
_TRUE = frozenset({"t", "T", "true", "True", "TRUE"})
_FALSE = frozenset({"f", "F", "false", "False", "FALSE"})
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
_UNSIGNED = 1 << 64
_LONGEST_NUMBER = 400
_DIGITS = frozenset("0123456789+-.eE")


class LineError(ValueError):
    """A line that can't be read; the others can."""


def parse(data: bytes, *, precision: str, now_ms: int) -> Batch:
    """Return the samples of line protocol; ``now_ms`` is the time of lines without one.

    A line that is wrong is refused with its number. Raise MalformedError when the body is no text
    or the precision unknown.
    """
    if precision not in PRECISIONS_NS:
        known = ", ".join(sorted(PRECISIONS_NS))
        raise MalformedError(f"precision {precision[:20]!r} is none of {known}")
    try:
        content = data.decode()
    except UnicodeDecodeError as error:
        raise MalformedError("the body is not valid UTF-8") from error
    builder = BatchBuilder()
    factor = PRECISIONS_NS[precision]
    for number, line in _lines(content):
        try:
            _take(builder, line, factor, now_ms)
        except LineError as error:
            builder.refusals.add(f"line {number}: {error}")
    return builder.build()


def _lines(content: str) -> Iterator[tuple[int, str]]:
    """Yield the lines with their numbers; a newline inside of a text field ends none."""
    start_number, pending = 1, ""
    for number, line in enumerate(content.split("\n"), 1):
        if not pending and '"' not in line:
            text = line.strip(" \r")
            if text and not text.startswith("#"):
                yield number, text
            continue
        if not pending:
            start_number = number
            if line.lstrip().startswith("#"):
                continue
        pending = f"{pending}\n{line}" if pending else line
        if not _is_open(pending):
            yield start_number, pending.strip(" \r")
            pending = ""
    if pending.strip():
        yield start_number, pending.strip(" \r")


def _is_open(text: str) -> bool:
    """Say whether a quoted text goes on behind the end."""
    quotes = text.count('"')
    if "\\" in text:
        quotes = text.replace("\\\\", "").replace('\\"', "").count('"')
    return quotes % 2 == 1


def _take(builder: BatchBuilder, line: str, factor: int, now_ms: int) -> None:
    """Add the samples of one line."""
    head, fields, time = _split_line(line)
    measurement, labels = _head(head)
    timestamp_ms = now_ms if not time else _timestamp(time, factor)
    found = 0
    for key, raw in fields:
        value = _value(key, raw)
        if value is None:
            continue
        found += 1
        builder.add(_series(measurement, key, labels), timestamp_ms, value)
    if not found:
        raise LineError("every field is a text, which is no sample")


def _split_line(line: str) -> tuple[str, list[tuple[str, str]], str]:
    """Return measurement with tags, the fields, and the time as they stand there."""
    head, rest = _cut(line, " ")
    if not rest:
        raise LineError("there are no fields")
    fields: list[tuple[str, str]] = []
    rest = rest.lstrip(" ")
    while True:
        key, rest = _cut(rest, "=")
        if not key or not rest:
            raise LineError("a field is not key=value")
        value, stop, rest = _field_value(rest)
        fields.append((_plain(key), value))
        if stop != ",":
            break
    return head, fields, rest.strip(" ")


def _field_value(text: str) -> tuple[str, str, str]:
    """Return a value, the character behind it, and what follows."""
    at = _quoted_end(text) if text.startswith('"') else 0
    ends = [place for place in (text.find(",", at), text.find(" ", at)) if place >= 0]
    end = min(ends, default=len(text))
    if at and end != at:
        raise LineError("something stands behind a quoted text")
    return text[:end], text[end : end + 1], text[end + 1 :]


def _quoted_end(text: str) -> int:
    at = 1
    while True:
        quote = text.find('"', at)
        if quote < 0:
            raise LineError("a quoted text does not end")
        backslashes = len(text[:quote]) - len(text[:quote].rstrip("\\"))
        if backslashes % 2 == 0:
            return quote + 1
        at = quote + 1


@lru_cache(maxsize=50_000)  # the same tags come again with every write
def _head(head: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Return the measurement and its tags as labels."""
    name, rest = _cut(head, ",")
    if not name:
        raise LineError("there is no measurement")
    labels: dict[str, str] = {}
    while rest:
        tag, rest = _cut(rest, ",")
        key, value = _cut(tag, "=")
        if not key or not value:
            raise LineError(f"tag {tag[:80]!r} is not key=value")
        label = _name(_plain(key))
        if label == METRIC_NAME:
            raise LineError(f"tag {METRIC_NAME!r} is reserved for the metric's name")
        if label in labels:
            raise LineError(f"tags become label {label!r} twice")
        labels[label] = _plain(value)
    return _plain(name), tuple(labels.items())


@lru_cache(maxsize=50_000)
def _series(measurement: str, field: str, labels: tuple[tuple[str, str], ...]) -> LabelKey:
    metric = measurement if field == "value" else f"{measurement}_{field}"
    return tuple(sorted(((METRIC_NAME, _name(metric, also=":")), *labels)))


def _name(text: str, *, also: str = "") -> str:
    name = "".join(letter if letter in _LETTERS or letter in also else "_" for letter in text)
    return f"_{name}" if name[:1].isdigit() else name


def _cut(text: str, mark: str) -> tuple[str, str]:
    """Split at the first ``mark`` without a backslash before it."""
    at = text.find(mark)
    while at > 0 and text[at - 1] == "\\":
        at = text.find(mark, at + 1)
    return (text, "") if at < 0 else (text[:at], text[at + 1 :])


def _plain(text: str) -> str:
    """Return a name or tag value without its backslashes."""
    if "\\" not in text:
        return text
    for mark in (",", "=", " "):
        text = text.replace(f"\\{mark}", mark)
    return text


def _value(key: str, raw: str) -> float | None:
    """Return a field's number; None of a text."""
    if raw in _TRUE:
        return 1.0
    if raw in _FALSE:
        return 0.0
    if raw.startswith('"'):
        return None
    number = raw[:-1] if raw[-1:] in {"i", "u"} else raw
    try:
        if number is not raw:
            return _whole(number, is_unsigned=raw[-1] == "u")
        if len(raw) <= _LONGEST_NUMBER and _DIGITS.issuperset(raw):
            return float(raw)
    except ValueError:
        pass
    raise LineError(f"field {key[:80]!r} has no value that line protocol knows: {raw[:80]!r}")


def _whole(text: str, *, is_unsigned: bool) -> float:
    if len(text) > 20 or not (text.isascii() and text.lstrip("-").isdecimal()):  # noqa: PLR2004 - a sign and 19 digits
        raise ValueError(text)
    number = int(text)
    low, high = (0, _UNSIGNED) if is_unsigned else (-_UNSIGNED // 2, _UNSIGNED // 2)
    if not low <= number < high:
        raise ValueError(text)
    return float(number)


def _timestamp(text: str, factor: int) -> int:
    digits = text.removeprefix("-")
    if len(digits) > 19 or not (digits.isascii() and digits.isdecimal()):  # noqa: PLR2004 - int64
        raise LineError(f"{text[:40]!r} is no time")
    timestamp_ms = int(text) * factor // _NS_PER_MS
    if abs(timestamp_ms) >= _UNSIGNED // 2:
        raise LineError(f"{text[:40]!r} is no time that can be stored")
    return timestamp_ms
