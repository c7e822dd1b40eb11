"""Histograms as promtool's unit tests write them: ``{{schema:1 count:3 buckets:[1 2]}}``."""

import re
from collections.abc import Iterator

from detectviz.promql.histograms.arithmetic import subtracted, total
from detectviz.promql.histograms.buckets import is_custom
from detectviz.promql.numbers import parse_number
from detectviz.tsdb.histograms import CounterReset, Histogram

_FIELD = re.compile(r"([a-z_]+):(\[[^\]]*\]|[^\s\[\]]+)")  # noqa: TID251 - our own constant
_SERIES = re.compile(  # noqa: TID251 - our own constant
    r"(?P<first>\{\{.*?\}\})(?:(?P<sign>[+-])(?P<step>\{\{.*?\}\})(?=x))?(?:x(?P<times>\d+))?",
    re.DOTALL,
)
_HINTS = {
    "unknown": CounterReset.UNKNOWN,
    "reset": CounterReset.YES,
    "not_reset": CounterReset.NO,
    "gauge": CounterReset.GAUGE,
}
_FIELDS = """schema sum count z_bucket z_bucket_w custom_values counter_reset_hint buckets offset
    n_buckets n_offset"""


def parse_histograms(text: str) -> Iterator[Histogram]:
    """Yield the histograms of ``{{…}}``, ``{{…}}xn`` or ``{{…}}+{{…}}xn``.

    As with numbers ``xn`` repeats n times more, each time adding or subtracting the second. Raise
    ValueError if it is none of these.
    """
    match = _SERIES.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no histogram")
    current = parse_histogram(match["first"])
    step = parse_histogram(match["step"]) if match["step"] else None
    if step is not None and is_custom(step) != is_custom(current):
        raise ValueError(f"{text!r} mixes exponential and custom buckets")
    yield current
    for _ in range(int(match["times"] or "0")):
        if step is not None:
            pair = (current, step)
            found = total(pair) if match["sign"] == "+" else subtracted(*pair)
            current = found.histogram
        yield current


def parse_histogram(text: str) -> Histogram:
    """Return the histogram that ``{{…}}`` describes; raise ValueError if it describes none.

    Fields left out are zero or empty; syntax of Prometheus' unit tests for rules.
    """
    if not (text.startswith("{{") and text.endswith("}}")):
        raise ValueError(f"{text!r} is no histogram")
    inside = text[2:-2]
    fields = dict(_FIELD.findall(inside))
    rest = _FIELD.sub("", inside).strip()
    unknown = rest or ", ".join(sorted(fields.keys() - set(_FIELDS.split())))
    hint = fields.get("counter_reset_hint", "unknown")
    if unknown or hint not in _HINTS:
        raise ValueError(f"{text!r} is no histogram: {unknown or hint} is not understood")
    positive, negative = _numbers(fields.get("buckets")), _numbers(fields.get("n_buckets"))
    return Histogram(
        count=_number(fields.get("count")),
        sum=_number(fields.get("sum")),
        schema=int(fields.get("schema", "0")),
        zero_threshold=_number(fields.get("z_bucket_w")),
        zero_count=_number(fields.get("z_bucket")),
        positive_spans=_spans(positive, fields.get("offset")),
        positive=positive,
        negative_spans=_spans(negative, fields.get("n_offset")),
        negative=negative,
        custom_values=_numbers(fields.get("custom_values")),
        counter_reset=_HINTS[hint],
    )


def _number(text: str | None) -> float:
    if text is None:
        return 0.0
    value = parse_number(text.lstrip("+-"))
    return -value if text.startswith("-") else value


def _numbers(text: str | None) -> tuple[float, ...]:
    return tuple(_number(one) for one in (text or "[]")[1:-1].split())


def _spans(buckets: tuple[float, ...], offset: str | None) -> tuple[tuple[int, int], ...]:
    return ((int(offset or "0"), len(buckets)),) if buckets else ()
