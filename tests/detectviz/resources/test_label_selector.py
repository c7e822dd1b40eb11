"""Label selectors as Kubernetes writes them."""

import pytest

from detectviz.resources.errors import InvalidFieldsError
from detectviz.resources.label_selector import Requirement, parse_label_selector


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("team=web", [Requirement("team", "in", ("web",))]),
        ("team==web", [Requirement("team", "in", ("web",))]),
        ("team!=web", [Requirement("team", "notin", ("web",))]),
        ("tier in (a, b)", [Requirement("tier", "in", ("a", "b"))]),
        ("tier notin (a)", [Requirement("tier", "notin", ("a",))]),
        ("team", [Requirement("team", "exists")]),
        ("!team", [Requirement("team", "absent")]),
        (
            "a=1,!b, c",
            [
                Requirement("a", "in", ("1",)),
                Requirement("b", "absent"),
                Requirement("c", "exists"),
            ],
        ),
    ],
)
def test_selectors_are_read(text: str, expected: list[Requirement]) -> None:
    assert parse_label_selector(text) == expected


@pytest.mark.parametrize("text", ["=web", "team=a b", "tier in a", "a=1,,b=2", "tier in (a", "%"])
def test_what_is_not_understood_is_quoted(text: str) -> None:
    with pytest.raises(InvalidFieldsError, match="Not understood"):
        parse_label_selector(text)
