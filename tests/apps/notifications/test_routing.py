"""The routing tree: Alertmanager's rules as a table."""

from typing import Any

import pytest

from apps.notifications.services.matchers import LabelMatcher, MatcherError, parse_matcher
from apps.notifications.services.routing import (
    build_tree,
    flatten,
    group_key,
    group_labels,
    match_routes,
)

TREE: dict[str, Any] = {
    "contact_point": "default",
    "group_by": ["alertname"],
    "group_wait": "10s",
    "routes": [
        {
            "matchers": ['team="web"'],
            "contact_point": "web",
            "group_by": ["alertname", "instance"],
            "routes": [
                {"matchers": ['severity="critical"'], "contact_point": "web-pager"},
            ],
        },
        {"matchers": ['severity=~"crit.*"'], "contact_point": "pager", "continue": True},
        {"matchers": ['severity="critical"'], "contact_point": "log", "group_by": ["..."]},
        {"matchers": ["severity!~info|debug"], "contact_point": "mail", "group_by": []},
    ],
}


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({"severity": "info"}, ["default"]),
        ({}, ["mail"]),
        ({"severity": "warning"}, ["mail"]),
        ({"team": "web"}, ["web"]),
        ({"team": "web", "severity": "critical"}, ["web-pager"]),
        ({"severity": "critical"}, ["pager", "log"]),
        ({"severity": "crit"}, ["pager", "mail"]),
        ({"team": "webb", "severity": "info"}, ["default"]),
    ],
)
def test_an_alert_goes_where_alertmanager_sends_it(
    labels: dict[str, str], expected: list[str]
) -> None:
    assert [route.contact_point for route in match_routes(build_tree(TREE), labels)] == expected


def test_children_inherit_what_they_do_not_say() -> None:
    nodes = {route.contact_point: route for route in flatten(build_tree(TREE))}

    assert nodes["web-pager"].group_by == ("alertname", "instance")
    assert nodes["web-pager"].group_wait_ms == 10_000
    assert nodes["mail"].group_by == ()
    assert nodes["default"].repeat_interval_ms == 14_400_000


def test_dots_group_by_every_label_and_an_empty_list_makes_one_group() -> None:
    nodes = {route.contact_point: route for route in flatten(build_tree(TREE))}
    labels = {"alertname": "A", "b": "c"}

    assert group_labels(nodes["log"], labels) == labels
    assert group_labels(nodes["mail"], labels) == {}


def test_twin_routes_do_not_share_groups() -> None:
    twin = {"matchers": ['a="b"'], "contact_point": "x", "continue": True}
    first, second = match_routes(build_tree({"routes": [twin, twin]}), {"a": "b"})

    assert group_key(first, {"a": "b"}) != group_key(second, {"a": "b"})


def test_the_group_key_is_written_as_alertmanager_writes_it() -> None:
    tree = build_tree({"routes": [{"matchers": ['team="web"']}], "group_by": ["alertname"]})
    (route,) = match_routes(tree, {"team": "web", "alertname": 'A"b'})

    assert group_key(route, {"alertname": 'A"b'}) == '{}/{team="web"}:{alertname="A\\"b"}'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('a="b"', LabelMatcher("a", "=", "b")),
        ("a=b", LabelMatcher("a", "=", "b")),
        ('a != "b c"', LabelMatcher("a", "!=", "b c")),
        ('a=~"x|y"', LabelMatcher("a", "=~", "x|y")),
        ('a!~"\\"q\\""', LabelMatcher("a", "!~", '"q"')),
        ('"näme"="v"', LabelMatcher("näme", "=", "v")),
        ('a=""', LabelMatcher("a", "=", "")),
    ],
)
def test_matchers_are_read_and_printed_back(text: str, expected: LabelMatcher) -> None:
    matcher = parse_matcher(text)
    assert matcher == expected
    if expected.name.isascii():
        assert parse_matcher(str(matcher)) == expected


@pytest.mark.parametrize("text", ["", "a", "a=~(", "=b", 'a="b', "{a=b}", 'a=~"(?=x)"'])
def test_what_is_no_matcher_is_refused(text: str) -> None:
    with pytest.raises(MatcherError):
        parse_matcher(text)


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ('a=~"b"', "bb", False),
        ('a=~"b.*"', "bb", True),
        ('a=~"b|c"', "c", True),
        ('a=~""', None, True),
        ('a!=""', None, False),
        ('a!~"b"', "bb", True),
    ],
)
def test_regexes_are_anchored_and_missing_is_empty(
    text: str, value: str | None, expected: bool
) -> None:
    labels = {} if value is None else {"a": value}
    assert parse_matcher(text).matches(labels) is expected
