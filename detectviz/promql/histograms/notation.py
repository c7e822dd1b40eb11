"""Histograms as promtool's unit tests write them: ``{{schema:1 count:3 buckets:[1 2]}}``."""

import re

from detectviz.promql.numbers import parse_number
from detectviz.tsdb.histograms import CounterReset, Histogram

_FIELD = re.compile(r"([a-z_]+):(\[[^\]]*\]|[^\s\[\]]+)")  # noqa: TID251 - our own constant
_HINTS = {
    "unknown": CounterReset.UNKNOWN,
    "reset": CounterReset.YES,
    "not_reset": CounterReset.NO,
    "gauge": CounterReset.GAUGE,
}
_FIELDS = """schema sum count z_bucket z_bucket_w custom_values counter_reset_hint buckets offset
    n_buckets n_offset"""


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
