"""Colours, escaping, lengths and alert lines, the same for every notifier."""

from dataclasses import replace

import pytest

from detectviz.contracts.rendering import (
    alert_lines,
    colour_number_of,
    colour_of,
    cut_bytes,
    escape_html,
    escape_markdown,
    escape_slack,
    severity_of,
    short_text,
    web_url,
    without_mentions,
)
from detectviz.contracts.types import AlertStatus
from detectviz.testing.notifiers import make_alert, make_notification


def _severity(*words: str) -> str:
    alerts = [replace(make_alert(), labels={"severity": word}) for word in words]
    return severity_of(make_notification(*alerts))


def test_the_worst_severity_counts_in_the_words_people_use() -> None:
    assert _severity("info", "warn") == "warning"
    assert _severity("Page", "warning") == "critical"
    assert _severity("notice") == "info"
    assert _severity("purple") == "critical"


def test_a_resolved_group_is_green_whatever_it_was() -> None:
    over = make_notification(status=AlertStatus.RESOLVED)
    assert colour_of(over) == "#1b6e3c"
    assert colour_number_of(over) == 0x1B6E3C
    assert colour_of(make_notification()) == "#b3261e"


def test_each_markup_is_escaped_its_own_way() -> None:
    assert escape_slack("<!channel> & <@U1>") == "&lt;!channel&gt; &amp; &lt;@U1&gt;"
    assert escape_html('<a b="c">') == "&lt;a b=&quot;c&quot;&gt;"
    assert escape_markdown("*a* [b](c)\u202e") == r"\*a\* \[b\]\(c\)"


def test_nobody_is_called_by_a_label() -> None:
    text = without_mentions("@everyone <!here> @all")
    assert "@everyone" not in text
    assert "<!" not in text
    assert "@all" not in text


@pytest.mark.parametrize(
    ("url", "is_one"),
    [
        ("https://a.example/b?c=d", True),
        ("javascript:alert(1)", False),
        ("https://a.example/ b", False),
        ("http://[", False),
        ("/relative", False),
        ("", False),
    ],
)
def test_only_web_addresses_become_links(url: str, *, is_one: bool) -> None:
    assert web_url(url) == (url if is_one else "")


@pytest.mark.parametrize("size", range(8))
def test_no_character_is_halved(size: int) -> None:
    assert len(cut_bytes("ééé🔥", size).encode()) <= size
    assert cut_bytes("é", 2) == "é"


def test_a_line_tells_what_sets_an_alert_apart() -> None:
    alerts = [make_alert(monitor="a"), make_alert(AlertStatus.RESOLVED, monitor="b")]
    lines = [*alert_lines(make_notification(*alerts, truncated_alerts=3), max_alerts=1)]
    assert lines == ["firing: home is down (monitor=a)", "and 4 more"]


def test_the_short_text_ends_with_where_to_look() -> None:
    assert short_text(make_notification()).endswith("\n\nhttps://detectviz.example/o/acme/alerts")
