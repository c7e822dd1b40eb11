"""Histograms as text."""

import pytest

from detectviz.promql.histograms.notation import parse_histogram
from detectviz.promql.histograms.text import format_histogram
from detectviz.tsdb.histograms import CounterReset, Histogram


def test_everything_a_test_may_say_is_read() -> None:
    text = """{{schema:1 count:12 sum:-3.5 z_bucket:2 z_bucket_w:0.01 buckets:[1 2.5] offset:-1
        n_buckets:[3] n_offset:2 counter_reset_hint:gauge}}"""
    assert parse_histogram(text) == Histogram(
        count=12,
        sum=-3.5,
        schema=1,
        zero_threshold=0.01,
        zero_count=2,
        positive_spans=((-1, 2),),
        positive=(1, 2.5),
        negative_spans=((2, 1),),
        negative=(3,),
        counter_reset=CounterReset.GAUGE,
    )
    assert parse_histogram("{{}}") == Histogram(count=0, sum=0)
    assert parse_histogram("{{schema:-53 custom_values:[1 2]}}").custom_values == (1, 2)


@pytest.mark.parametrize(
    "text", ["{count:1}", "{{colour:1}}", "{{count}}", "{{counter_reset_hint:maybe}}"]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no histogram"):
        parse_histogram(text)


def test_text_shows_buckets_that_hold_anything() -> None:
    histogram = parse_histogram(
        "{{count:7 sum:2500000 z_bucket:1 z_bucket_w:0.5 buckets:[0 3] n_buckets:[2 1]}}"
    )
    assert format_histogram(histogram) == (
        "{count:7, sum:2.5e+06, [-2,-1):1, [-1,-0.5):2, [-0.5,0.5]:1, (1,2]:3}"
    )
