"""The main job as a stranger does it: in the browser, on a product that was just started."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from detectviz.testing.product import Product, embedded_product, until
from detectviz.testing.receivers import Hook, Mailbox, Target, web_target
from tests.e2e.conftest import Window

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(400),
    pytest.mark.services("chromium"),
]

FORM_ADDRESS = re.compile(r"/(new|edit|add)(/|$)")  # noqa: TID251 - our own constant


def test_a_stranger_is_told_once_that_a_page_is_down_and_once_that_it_is_back(
    tmp_path: Path, window: Window, hook: Hook, mailbox: Mailbox
) -> None:
    with (
        web_target() as target,
        embedded_product(
            tmp_path, DETECTVIZ_ADMIN_PASSWORD="", DETECTVIZ_SMTP_PORT=str(mailbox.port)
        ) as product,
    ):
        page = window.tab()
        sign_in(page, product)
        make_contact_point(page, hook)
        try_contact_point(page, hook, mailbox)
        choose_it_in_the_routing_tree(page)
        make_monitor(page, target)
        make_rule(page)
        alerts = window.tab()
        alerts.goto(f"{product.url}/o/default/alerts")
        expect(alerts.get_by_role("heading", name="Nothing is firing")).to_be_visible()
        monitor = open_monitor(page)

        target.stop()
        expect(monitor).to_contain_text("Down")
        expect(row_of(alerts, "HomeDown")).to_contain_text("Pending")
        expect(row_of(alerts, "HomeDown")).to_contain_text("Firing")
        until(lambda: hook.words[1:] and mailbox.subjects[1:], "somebody is told")
        see_what_is_broken(window.tab(), product)
        see_who_was_told(alerts)

        target.start()
        expect(monitor).to_contain_text("Up")
        assert page.evaluate("window.isTheSamePage"), "the monitor's page was loaded again"
        expect(alerts.locator("#alert-detail")).to_contain_text("Resolved")
        until(lambda: hook.words[2:] and mailbox.subjects[2:], "the end is told")
        read_the_log(page, product)

    assert hook.words[1:] == [("firing", "HomeDown"), ("resolved", "HomeDown")]
    assert [subject.split("]")[0] for subject in mailbox.subjects[1:]] == [
        "[FIRING:1",
        "[RESOLVED",
    ]
    assert window.complaints == []


def sign_in(page: Page, product: Product) -> None:
    words = (product.data_dir / "var" / "initial-admin.txt").read_text(encoding="utf-8").split()
    page.goto(product.url)
    page.get_by_label("Username").fill(words[words.index("username:") + 1])
    page.get_by_label("Password").fill(words[words.index("password:") + 1])
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Watch the first thing")).to_be_visible()


def make_contact_point(page: Page, hook: Hook) -> None:
    go(page, "Contact points")
    page.get_by_role("main").get_by_role("link", name="Add contact point").first.click()
    page.get_by_role("link", name="Webhook Posts alerts").click()
    box(page, "Title").fill("On call")
    expect(box(page, "Name")).to_have_value("on-call")
    box(page.get_by_role("region", name="Webhook"), "URL").fill(hook.url)
    page.get_by_label("Another receiver").select_option(label="E-mail")
    page.get_by_role("button", name="Add receiver").click()
    mail = page.get_by_role("region", name="E-mail")
    box(mail, "To").fill("ops@example.org")
    mail.locator("summary", has_text="Options").click()
    mail.get_by_label("Also tell when alerts are resolved").check()
    submit(page, "Create contact point")
    expect(page.get_by_role("heading", name="On call", level=1)).to_be_visible()


def try_contact_point(page: Page, hook: Hook, mailbox: Mailbox) -> None:
    page.get_by_role("button", name="Send test").click()
    expect(page.locator("#trial li")).to_have_count(2)
    expect(page.locator("#trial li").filter(has_text="Delivered")).to_have_count(2)
    assert hook.words == [("firing", "TestAlert")]
    assert len(mailbox.subjects) == 1
    assert "TestAlert" in mailbox.subjects[0]


def choose_it_in_the_routing_tree(page: Page) -> None:
    go(page, "Routing")
    page.get_by_role("link", name="Add below route root").click()
    box(page, "Matchers").fill('alertname="HomeDown"')
    page.get_by_label("Contact point").select_option("on-call")
    unfold(page, "Timers")
    box(page, "Group wait").fill("1s")
    box(page, "Group interval").fill("2s")
    submit(page, "Add route")
    page.get_by_label("Where would an alert").fill('alertname="HomeDown", severity="critical"')
    hit = page.locator(".route-card.is-hit")
    expect(hit).to_have_count(1)
    expect(hit).to_contain_text("on-call")


def make_monitor(page: Page, target: Target) -> None:
    go(page, "Monitors")
    page.get_by_role("main").get_by_role("link", name="Add monitor").first.click()
    page.get_by_role("link", name="HTTP(S)").click()
    box(page, "Title").fill("Home page")
    box(page, "Name").fill("home")
    box(page, "URL").fill(target.url)
    unfold(page, "Schedule and retries")
    box(page, "Interval").fill("2s")
    box(page, "Timeout").fill("1s")
    page.get_by_role("button", name="Run once").click()
    expect(page.locator("#probe")).to_contain_text("Result of this run")
    expect(page.locator("#probe")).to_contain_text("Up")
    submit(page, "Create monitor")


def make_rule(page: Page) -> None:
    go(page, "Rules")
    page.get_by_role("link", name="Add rule group").click()
    box(page, "Title").fill("Home")
    box(page, "Name").first.fill("home")
    box(page, "Interval").fill("1s")
    rule = page.get_by_role("group", name="Rule", exact=True)
    box(rule, "Name").fill("HomeDown")
    box(rule, "Expression").fill('probe_success{monitor="home"} == 0')
    box(rule, "For").fill("6s")
    box(rule, "Labels: name").fill("severity")
    box(rule, "Labels: value").fill("critical")
    box(rule, "Annotations: name").fill("summary")
    box(rule, "Annotations: value").fill("{{ $labels.monitor }} is down")
    rule.get_by_role("button", name="Preview").click()
    expect(rule.locator(".rule-preview canvas")).to_be_visible()
    submit(page, "Create rule group")
    expect(page.get_by_role("heading", name="HomeDown")).to_be_visible()


def open_monitor(page: Page) -> Locator:
    """Open the monitor's page; what it shows must change without loading it again."""
    go(page, "Monitors")
    page.get_by_role("link", name="Home page").click()
    verdict = page.locator("#monitor-summary .verdict")
    expect(verdict).to_contain_text("Up")
    page.evaluate("window.isTheSamePage = true")
    return verdict


def see_what_is_broken(page: Page, product: Product) -> None:
    page.goto(f"{product.url}/o/default/")
    expect(page.get_by_role("main")).to_contain_text("Home page")
    expect(page.get_by_role("main")).to_contain_text("HomeDown")


def see_who_was_told(alerts: Page) -> None:
    row_of(alerts, "HomeDown").get_by_role("link").click()
    told = alerts.locator("#delivery-for")
    try:
        expect(told.get_by_text("on-call / webhook")).to_be_visible(timeout=25_000)
    except AssertionError:  # this part of the page is polled, not live: do as a person would
        alerts.reload()
    expect(told.get_by_text("on-call / webhook")).to_be_visible()
    expect(told.get_by_text("on-call / email")).to_be_visible()
    history = alerts.locator("#alert-detail .timeline")
    expect(history).to_contain_text("Pending")
    expect(history).to_contain_text("Firing")


def read_the_log(page: Page, product: Product) -> None:
    page.goto(f"{product.url}/o/default/deliveries")
    expect(page.locator("#delivery-table tbody tr").filter(has_text="HomeDown")).to_have_count(4)


def go(page: Page, title: str) -> None:
    menu = page.get_by_role("navigation", name="Main")
    wanted = page.get_by_role("link", name=title, exact=True, include_hidden=True)
    folded = menu.locator("details:not([open])").filter(has=wanted)
    if folded.count():
        folded.locator("summary").click()
    menu.get_by_role("link", name=title, exact=True).click()
    expect(page.get_by_role("heading", name=title, level=1)).to_be_visible()


def submit(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()
    expect(page).not_to_have_url(FORM_ADDRESS)


def box(scope: Page | Locator, name: str) -> Locator:
    return scope.get_by_role("textbox", name=name, exact=True)


def unfold(page: Page, title: str) -> None:
    page.locator("summary", has_text=title).click()


def row_of(page: Page, text: str) -> Locator:
    return page.locator("#alerts tbody tr").filter(has_text=text)
