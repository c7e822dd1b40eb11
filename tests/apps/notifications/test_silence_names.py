"""What silences are called, and what alerts have in common."""

from datetime import UTC, datetime
from typing import Any

import pytest

from apps.notifications.services.silence_names import common_matchers, silence_name
from apps.notifications.services.silences import SilenceDraft
from detectviz.resources.models import is_name


@pytest.mark.parametrize(
    ("fields", "begins"),
    [
        ({}, "down-"),
        ({"title": "Deploy: the Shop!"}, "deploy-the-shop-"),
        ({"matcher_sets": [['a="b"']], "comment": "Disk swap"}, "disk-swap-"),
        ({"matcher_sets": [['a="日本"']], "comment": "日本"}, "silence-"),
        ({"title": "x" * 200}, "x" * 40 + "-"),
    ],
)
def test_a_name_says_what_is_silenced(fields: dict[str, Any], begins: str) -> None:
    values: dict[str, Any] = {"matcher_sets": [['a="b"', 'alertname="Down"']], **fields}
    draft = SilenceDraft(starts_at=None, ends_at=datetime(2026, 1, 1, tzinfo=UTC), **values)
    name = silence_name(draft)
    assert name.startswith(begins)
    assert is_name(name)
    assert name != silence_name(draft)


@pytest.mark.parametrize(
    ("labels", "sets"),
    [
        ([], []),
        ([{"a": "1", "b": ""}], [['a="1"']]),
        ([{"a": "1", "b": "2"}, {"a": "1", "b": "3"}], [['a="1"']]),
        ([{"a": "1"}, {"a": "2"}], [['a="1"'], ['a="2"']]),
    ],
)
def test_alerts_are_silenced_by_what_they_share_else_each_by_its_own(
    labels: list[dict[str, str]], sets: list[list[str]]
) -> None:
    assert common_matchers(labels) == sets
