"""Cases of Prometheus' own documentation and semantics."""

import pytest

from detectviz.contracts.errors import ConfigurationError
from detectviz.contracts.types import JsonObject
from plugins.collectors.prometheus.relabeling import read_rules, relabel

LABELS = {"a": "foo", "b": "bar", "c": "baz"}


def run(*entries: JsonObject, labels: dict[str, str] | None = None) -> dict[str, str] | None:
    return relabel(labels or LABELS, read_rules(entries, "relabel_configs"))


def test_replace_puts_groups_of_the_match_into_the_target() -> None:
    assert run({"source_labels": ["a"], "regex": "f(.*)", "target_label": "d", "replacement": "ch${1}-ch${1}"}) == {**LABELS, "d": "choo-choo"}  # fmt: skip # noqa: E501 - one rule a line reads best
    assert run(
        {
            "source_labels": ["a", "b"],
            "regex": "f(.*);(.*)r",
            "target_label": "a",
            "replacement": "b$1${2}$2 $$x$9",
        }
    ) == {**LABELS, "a": "boobaba $x"}


def test_replace_is_anchored_and_does_nothing_without_a_match() -> None:
    assert run({"source_labels": ["a"], "regex": "o", "target_label": "d"}) == LABELS


def test_an_empty_replacement_takes_the_label_away() -> None:
    assert run({"source_labels": ["a"], "target_label": "b", "replacement": ""}) == {
        "a": "foo",
        "c": "baz",
    }


def test_the_name_of_the_target_may_come_from_the_match() -> None:
    rule = {
        "source_labels": ["a"],
        "regex": "(?P<x>f)oo",
        "target_label": "${x}_y",
        "replacement": "1",
    }
    assert run(rule) == {**LABELS, "f_y": "1"}


@pytest.mark.parametrize(
    ("entry", "is_kept"),
    [
        ({"action": "keep", "source_labels": ["a"], "regex": "foo"}, True),
        ({"action": "keep", "source_labels": ["a"], "regex": "fo"}, False),
        ({"action": "keep", "source_labels": ["a"], "regex": "no-match|f.*"}, True),
        ({"action": "drop", "source_labels": ["a"], "regex": ".*o.*"}, False),
        ({"action": "drop", "source_labels": ["missing"], "regex": ".+"}, True),
        ({"action": "keepequal", "source_labels": ["a"], "target_label": "b"}, False),
        ({"action": "dropequal", "source_labels": ["a"], "target_label": "b"}, True),
        ({"action": "dropequal", "source_labels": ["a"], "target_label": "a"}, False),
        ({"action": "Keep", "source_labels": ["a"], "regex": "foo"}, True),
    ],
)
def test_targets_are_kept_and_dropped(entry: JsonObject, *, is_kept: bool) -> None:
    assert (run(entry) is not None) is is_kept


def test_hashmod_is_the_one_of_prometheus() -> None:
    entry: JsonObject = {
        "action": "hashmod",
        "source_labels": ["c"],
        "target_label": "d",
        "modulus": 1000,
    }
    assert run(entry) == {**LABELS, "d": "976"}


def test_labels_are_mapped_dropped_kept_and_cased() -> None:
    labels = {"a": "foo", "b1": "Bar", "b2": "baz"}
    assert run({"action": "labelmap", "regex": "(b.*)", "replacement": "bar_${1}"}, labels=labels) == {**labels, "bar_b1": "Bar", "bar_b2": "baz"}  # fmt: skip # noqa: E501 - one rule a line reads best
    assert run({"action": "labeldrop", "regex": "(b.*)"}, labels=labels) == {"a": "foo"}
    assert run({"action": "labelkeep", "regex": "(b.*)"}, labels=labels) == {
        "b1": "Bar",
        "b2": "baz",
    }
    upper: JsonObject = {"action": "uppercase", "source_labels": ["b1"], "target_label": "u"}
    lower: JsonObject = {"action": "lowercase", "source_labels": ["b1"], "target_label": "l"}
    assert run(upper, lower, labels=labels) == {**labels, "u": "BAR", "l": "bar"}


@pytest.mark.parametrize(
    "entry",
    [
        {"regex": "("},
        {"action": "replace"},
        {"action": "hashmod", "target_label": "a"},
        {"regex": "(?=x)", "target_label": "a"},
    ],
)
def test_a_wrong_rule_is_named(entry: JsonObject) -> None:
    with pytest.raises(ConfigurationError) as refused:
        read_rules([entry], "relabel_configs")
    assert refused.value.field.startswith("/relabel_configs/0/")
