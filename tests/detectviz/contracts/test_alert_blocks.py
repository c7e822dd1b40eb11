"""Alerts in a service's markup, within its limit."""

from dataclasses import replace

import pytest

from detectviz.contracts.alert_blocks import (
    CUT_NOTE,
    Markup,
    body_of,
    buttons_of,
    fitted,
    html_markup,
    markdown_markup,
    plain_markup,
    utf8_size,
    utf16_size,
)
from detectviz.contracts.types import AlertStatus
from detectviz.testing.notifiers import (
    hostile_notification,
    make_alert,
    make_notification,
    notification_with_actions,
    templated_notification,
)

MARKUPS = [
    pytest.param(plain_markup(), id="plain"),
    pytest.param(plain_markup(utf8_size), id="bytes"),
    pytest.param(markdown_markup(), id="markdown"),
    pytest.param(html_markup(measure=utf16_size, line_end="<br>"), id="html"),
]


def test_an_alert_is_a_heading_and_its_details() -> None:
    alert = replace(
        make_alert(monitor="home"),
        annotations={
            "summary": "home is down",
            "description": "No answer for 5 minutes.",
            "runbook_url": "https://wiki.example/home",
        },
    )
    assert body_of(make_notification(alert), html_markup(), max_size=4_000) == (
        "🔴 <b>home is down</b>\n"
        "No answer for 5 minutes.\n"
        "monitor=home, severity=critical\n"
        "since 2026-01-31 08:30:00 UTC, value 0"
        ' · <a href="https://detectviz.example/o/acme/alerts/1">Source</a>'
        ' · <a href="https://wiki.example/home">Runbook</a>'
    )


def test_resolved_alerts_follow_and_have_their_own_sign() -> None:
    notification = make_notification(
        make_alert(AlertStatus.RESOLVED, monitor="a"), make_alert(severity="warning")
    )
    body = body_of(notification, plain_markup(), max_size=4_000)
    assert body.index("🟠") < body.index("✅")


@pytest.mark.parametrize("markup", MARKUPS)
@pytest.mark.parametrize("size", [60, 300, 1_000, 4_096])
def test_whole_alerts_fit_and_the_others_are_counted(markup: Markup, size: int) -> None:
    alerts = (make_alert(monitor=f"<m{index}>") for index in range(60))
    body = body_of(make_notification(*alerts, truncated_alerts=7), markup, max_size=size)
    assert markup.measure(body) <= size
    shown = body.count("🔴")
    if size > 60:
        assert f"{67 - shown} more alerts are not shown" in body


@pytest.mark.parametrize("markup", MARKUPS)
@pytest.mark.parametrize("size", [20, 100, 999])
def test_a_text_is_cut_after_escaping_and_says_so(markup: Markup, size: int) -> None:
    text = fitted("<&>*🔥 監" * 300, markup, max_size=size)
    assert markup.measure(text) <= size
    assert text.endswith(CUT_NOTE)


def test_the_operators_text_takes_the_place_of_the_alerts() -> None:
    assert body_of(templated_notification(), html_markup(), max_size=100) == "Own text 0815"


def test_links_of_the_actions_end_the_body_where_wanted() -> None:
    body = body_of(
        notification_with_actions(), markdown_markup(), max_size=4_000, with_buttons=True
    )
    assert "[Acknowledge](https://detectviz.example/callbacks/4ct10n)" in body
    assert body.endswith("[Open](https://detectviz.example/o/acme/alerts)")


def test_only_web_addresses_become_buttons() -> None:
    notification = notification_with_actions()
    (action,) = notification.actions
    wrong = replace(notification, actions=(replace(action, url="javascript:alert(1)"),), url="")
    assert buttons_of(wrong) == ()


@pytest.mark.parametrize("markup", MARKUPS)
def test_hostile_texts_stay_within_the_limit(markup: Markup) -> None:
    body = body_of(hostile_notification(), markup, max_size=500)
    assert markup.measure(body) <= 500
    assert "@everyone" not in body or markup.bold("x") == "<b>x</b>"
