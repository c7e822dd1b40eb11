"""promtool's notation of input series: ``1+1x4 _x2 stale 5 -3 {{count:2 buckets:[2]}}``."""

import re
from collections.abc import Iterator
from typing import TypeAlias

from detectviz.promql.errors import PromqlError
from detectviz.promql.histograms.notation import parse_histograms
from detectviz.promql.nodes import VectorSelector
from detectviz.promql.numbers import parse_number
from detectviz.promql.parser import parse
from detectviz.tsdb.histograms import Histogram
from detectviz.tsdb.interface import METRIC_NAME, STALE_NAN, MatchOp

SeriesValue: TypeAlias = float | Histogram | None
MOST_VALUES = 100_000
# No hexadecimal numbers: 0x10 is zero, repeated.
_UNSIGNED = r"(?:(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[iI]nf|[nN]a[nN])"
_ITEM = re.compile(  # noqa: TID251 - our own constant
    rf"(?P<first>[+-]?{_UNSIGNED})(?P<step>[+-]{_UNSIGNED})?(?:x(?P<times>\d+))?"
)
_WORD = re.compile(r"(?:\{\{.*?\}\}|[^\s{]|\{)+", re.DOTALL)  # noqa: TID251 - our own constant
_GAP = re.compile(r"(?P<what>_|stale)(?:x(?P<times>\d+))?")  # noqa: TID251 - our own constant


class NotationError(ValueError):
    """A series or its values can't be read; the message says which part."""


def series_labels(text: str) -> dict[str, str]:
    """Return the labels of ``name{label="value"}``; raise NotationError when it is no series."""
    try:
        node = parse(text)
    except PromqlError as error:
        raise NotationError(f"{text!r} is no series: {error}") from error
    if not isinstance(node, VectorSelector):
        raise NotationError(f"{text!r} is no series.")
    labels = {METRIC_NAME: node.name} if node.name else {}
    for matcher in node.matchers:
        if matcher.op is not MatchOp.EQUAL:
            raise NotationError(f"{text!r} is no series: use = only.")
        labels[matcher.name] = matcher.value
    return labels


def series_values(text: str) -> list[SeriesValue]:
    """Return the values one interval apart; None where there is no sample.

    ``axn`` is n + 1 times a, ``a+bxn`` goes up n times by b, ``_xn`` leaves n out, ``stale`` is
    a stale marker; a and b may be native histograms.
    """
    values: list[SeriesValue] = []
    for item in _WORD.findall(text):
        values += _item(item)
        if len(values) > MOST_VALUES:
            raise NotationError(f"More than {MOST_VALUES} values.")
    return values


def _item(item: str) -> Iterator[SeriesValue]:
    gap = _GAP.fullmatch(item)
    if gap:
        value = STALE_NAN if gap["what"] == "stale" else None
        yield from [value] * _count(gap["times"] or "1")
        return
    if item.startswith("{{"):
        yield from _histograms(item)
        return
    match = _ITEM.fullmatch(item)
    if match is None:
        raise NotationError(f"{item!r} is no value of a series.")
    first = parse_number(match["first"])
    if match["step"] and match["times"] is None:
        raise NotationError(f"{item!r}: say how often to repeat, such as {item}x10.")
    step = parse_number(match["step"]) if match["step"] else 0.0
    for _ in range(_count(match["times"] or "0") + 1):
        yield first
        first += step  # added up, as promtool does, so that rounding is the same


def _histograms(item: str) -> Iterator[Histogram]:
    _count(item.rpartition("}}x")[2] if "}}x" in item else "0")
    try:
        yield from parse_histograms(item)
    except ValueError as error:
        raise NotationError(f"{error}.") from error


def _count(text: str) -> int:
    if len(text) > len(str(MOST_VALUES)):
        raise NotationError(f"More than {MOST_VALUES} values.")
    return int(text)
