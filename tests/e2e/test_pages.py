"""Every page: readable by all, in both themes, on a phone, by keyboard, and without a complaint."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page, ViewportSize, expect

from detectviz.testing.product import ADMIN_PASSWORD, ROOT, Product, embedded_product, until
from tests.e2e.conftest import Window

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(300),
    pytest.mark.services("chromium"),
]

MENU = (
    "/o/default/",
    "/o/default/monitors",
    "/o/default/maintenance",
    "/o/default/alerts",
    "/o/default/silences",
    "/o/default/rules",
    "/o/default/incidents",
    "/o/default/rules/quality",
    "/o/default/slos",
    "/o/default/anomalies",
    "/o/default/on-call",
    "/o/default/escalation",
    "/o/default/contact-points",
    "/o/default/message-templates",
    "/o/default/routing",
    "/o/default/times",
    "/o/default/inhibition",
    "/o/default/deliveries",
    "/o/default/suppressions",
    "/o/default/watchdogs",
    "/o/default/chat-buttons",
    "/o/default/explore",
    "/o/default/metrics",
    "/o/default/series",
    "/o/default/datasources",
    "/o/default/x/status-wall/",
    "/o/default/tools",
    "/o/default/pipelines",
    "/o/default/organisation",
    "/o/default/members",
    "/o/default/teams",
    "/o/default/roles",
    "/o/default/api-keys",
    "/o/default/audit",
    "/o/default/plugins",
    "/o/default/transfer",
    "/o/default/events",
    "/o/default/modules",
    "/o/default/system",
)
FURTHER = (
    "/o/default/monitors/new",
    *(f"/o/default/monitors/new/{name}" for name in ("http", "tcp", "ping", "dns", "tls", "push")),
    *(f"/o/default/monitors/new/{name}" for name in ("prometheus", "system")),
    "/o/default/monitors/m/checkout",
    "/o/default/monitors/m/detectviz",
    "/o/default/monitors/m/nightly-backup",
    "/o/default/monitors/m/checkout/edit",
    "/o/default/maintenance/new",
    "/o/default/silences/new",
    "/o/default/silences/s/backup-hour",
    "/o/default/silences/s/backup-hour/edit",
    "/o/default/rules/new",
    "/o/default/rules/g/builtin",
    "/o/default/slos/new",
    "/o/default/watchdogs/new",
    "/o/default/chat-buttons/new",
    "/o/default/anomalies/new",
    "/o/default/rules/g/shop/edit",
    "/o/default/slos/s/sign-in",
    "/o/default/slos/s/sign-in/edit",
    "/o/default/anomalies/a/answer-times",
    "/o/default/anomalies/a/answer-times/edit",
    "/o/default/watchdogs/w/shop-path",
    "/o/default/watchdogs/w/shop-path/edit",
    "/o/default/chat-buttons/c/shop-channel",
    "/o/default/chat-buttons/c/shop-channel/edit",
    "/o/default/contact-points/new",
    *(f"/o/default/contact-points/new/{name}" for name in ("webhook", "email", "apprise", "slack")),
    "/o/default/contact-points/c/on-call",
    "/o/default/contact-points/c/on-call/edit",
    "/o/default/datasources/new",
    *(f"/o/default/datasources/new/{name}" for name in ("testdata", "postgresql", "sqlite")),
    "/o/default/plugins?kind=datasources",
    "/o/default/plugins/collectors/http",
    "/o/default/pipelines/new",
    "/o/default/pipelines/new/form?importer=csv&processor=metric&exporter=json",
    "/o/default/escalation/new",
    "/o/default/escalation/p/first-line",
    "/o/default/escalation/p/first-line/edit",
    "/o/default/incidents/new",
    "/o/default/incidents/i/checkout-down",
    "/o/default/on-call/new",
    "/o/default/me/notifications",
    "/o/default/me/notifications/add/webhook",
    "/o/default/on-call/s/first-line",
    "/o/default/on-call/s/first-line/edit",
    "/o/default/message-templates/new",
    "/o/default/inhibition/new",
    "/o/default/inhibition/r/checkout-first",
    "/o/default/inhibition/r/checkout-first/edit",
    "/o/default/times/new",
    "/o/default/times/t/out-of-hours",
    "/o/default/times/t/out-of-hours/edit",
    "/o/default/routing/add/root",
    "/o/default/routing/edit/root-0",
    "/o/default/routing/replay",
    "/o/default/routing/yaml",
    "/o/default/explore?q=probe_success&q=sum(rate(probe_duration_seconds[5m]))&range=15m",
    "/o/default/explore?q=probe_success&q=broken(&view=table",
    "/o/default/explore/d/made-up?run=1&A/scenario=random_walk&A/series_count=3",
    "/o/default/explore/d/made-up?run=1&view=table&rows=2&A/scenario=random_walk_table",
    "/o/default/explore/d/made-up?run=1&view=logs&A/scenario=logs",
    "/o/default/explore?q=probe_success&view=visualizers/bar",
    "/o/default/explore/d/made-up?run=1&A/scenario=random_walk&view=visualizers/stat",
    "/o/default/metrics?metric=probe_success&label=type%3Dtcp",
    "/o/default/tools/dns-lookup",
    "/o/default/appearance",
    "/o/default/teams/new",
    "/o/default/roles/new",
    "/o/default/bindings",
    "/o/default/service-accounts",
    "/o/default/service-accounts/new",
    "/password",
    "/o/default/no-such-page",
)
WIDE: ViewportSize = {"width": 1280, "height": 800}
PHONE: ViewportSize = {"width": 360, "height": 740}
OVERFLOW = """() => {
  const wide = [...document.querySelectorAll("main *, header *")]
    .filter((one) => one.getBoundingClientRect().right > innerWidth + 1)
    .map((one) => `${one.tagName}.${one.className}`).slice(0, 5);
  const excess = document.scrollingElement.scrollWidth - innerWidth;
  return excess > 0 ? [excess, ...wide] : [];
}"""


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    folder = tmp_path_factory.mktemp("product")
    with embedded_product(folder, arguments=["--demo"]) as product:
        until(lambda: states(product).get("checkout") == "down", "the failing monitor is down")
        until(lambda: states(product).get("detectviz") == "up", "the product watches itself")
        made_up = {
            "apiVersion": "datasources/v1",
            "kind": "Datasource",
            "metadata": {"name": "made-up"},
            "spec": {"title": "Made up", "type": "testdata"},
        }
        status, answer = product.call(
            "PUT", "/apis/datasources/v1/orgs/default/datasources/made-up", made_up
        )
        assert status == 201, answer
        yield product


@pytest.fixture(scope="module")
def page(product: Product, window: Window) -> Page:
    page = window.tab()
    page.goto(f"{product.url}/login")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill(ADMIN_PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Overview", level=1)).to_be_visible()
    return page


def states(product: Product) -> dict[str, str]:
    items = product.get("/apis/monitoring/v1/orgs/default/monitors")["items"]
    return {item["metadata"]["name"]: item["status"].get("state", "") for item in items}


AXE = """async ([scope, options]) => {
  const { violations } = await window.axe.run(scope, { resultTypes: ["violations"], ...options });
  return violations.filter((one) => ["serious", "critical"].includes(one.impact));
}"""
SIDEBAR = "#side"


def findings(page: Page, *rules: str, without: str = "") -> list[str]:
    """Return axe's serious and critical findings, of all rules or of some, as sentences."""
    scope = {"exclude": [[without]]} if without else {"include": [["html"]]}
    only = {"runOnly": {"type": "rule", "values": rules}} if rules else {}
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    found: list[dict[str, Any]] = page.evaluate(AXE, [scope, only])
    return [
        f"{one['id']}: {node['target']} {node['failureSummary']}"
        for one in found
        for node in one["nodes"]
    ]


def go_dark(page: Page) -> None:
    page.emulate_media(color_scheme="dark")
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")


@pytest.mark.parametrize("path", MENU + FURTHER)
def test_a_page_can_be_read_by_everybody(
    page: Page, product: Product, window: Window, path: str
) -> None:
    window.complaints.clear()
    page.set_viewport_size(WIDE)
    page.emulate_media(color_scheme="light")
    page.goto(product.url + path)
    # The sidebar is the same beside every page; those it leads to show all it can look like.
    known = "" if path in MENU else SIDEBAR
    in_light = findings(page, without=known)
    go_dark(page)
    in_dark = findings(page, "color-contrast", without=known)  # all that a theme changes
    page.set_viewport_size(PHONE)
    too_wide = page.evaluate(OVERFLOW)
    is_missing = path.endswith("no-such-page")  # the browser itself notes the 404
    assert (in_light, in_dark, too_wide) == ([], [], [])
    assert window.complaints == [] or is_missing


def test_the_list_of_pages_has_the_whole_menu(page: Page, product: Product) -> None:
    page.set_viewport_size(WIDE)
    page.goto(f"{product.url}/o/default/")
    links = page.locator("a.side-link").evaluate_all("all => all.map((one) => one.pathname)")
    assert set(links) == set(MENU)


def test_the_sign_in_page_can_be_read_by_everybody(product: Product, window: Window) -> None:
    browser = window.context.browser
    assert browser is not None
    context = browser.new_context(viewport=PHONE, reduced_motion="reduce")
    page = Window(context).tab()
    page.goto(f"{product.url}/login")
    assert findings(page) == []
    go_dark(page)
    assert findings(page, "color-contrast") == []
    assert page.evaluate(OVERFLOW) == []
    context.close()


def test_the_keyboard_reaches_content_first_and_then_the_main_action(
    page: Page, product: Product
) -> None:
    page.set_viewport_size(WIDE)
    page.goto(f"{product.url}/o/default/monitors")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    expect(page.get_by_role("link", name="Skip to content")).to_be_in_viewport()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    add = page.get_by_role("main").get_by_role("link", name="Add monitor")
    expect(add).to_be_focused()
    outline = add.evaluate("one => getComputedStyle(one).outlineStyle")
    shadow = add.evaluate("one => getComputedStyle(one).boxShadow")
    assert outline != "none" or shadow != "none", "the focus can't be seen"
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()


def test_a_dialog_closes_by_escape_and_gives_the_focus_back(page: Page, product: Product) -> None:
    page.set_viewport_size(WIDE)
    page.goto(f"{product.url}/o/default/monitors/m/checkout")
    more = page.locator("summary", has_text="More actions")
    more.focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Delete", exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("checkout is deleted")
    assert findings(page) == []
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert page.url.endswith("/monitors/m/checkout")


def test_the_sidebar_of_a_phone_opens_and_closes_by_keyboard(page: Page, product: Product) -> None:
    page.set_viewport_size(PHONE)
    page.goto(f"{product.url}/o/default/")
    button = page.get_by_role("button", name="Menu", exact=True)
    button.focus()
    page.keyboard.press("Enter")
    link = page.get_by_role("navigation", name="Main").get_by_role("link", name="Monitors")
    expect(link).to_be_in_viewport()
    page.keyboard.press("Escape")
    expect(link).not_to_be_in_viewport()
    expect(button).to_be_focused()


def test_a_group_of_the_menu_unfolds_by_keyboard_and_stays_so(page: Page, product: Product) -> None:
    page.set_viewport_size(WIDE)
    page.goto(f"{product.url}/o/default/")
    menu = page.get_by_role("navigation", name="Main")
    link = menu.get_by_role("link", name="Not told")
    expect(link).to_be_hidden()
    menu.locator("summary", has_text="Delivery and proof").focus()
    page.keyboard.press("Enter")
    expect(link).to_be_visible()
    page.goto(f"{product.url}/o/default/monitors")
    expect(link).to_be_visible()
    menu.locator("summary", has_text="Delivery and proof").click()
    page.reload()
    expect(link).to_be_hidden()
    page.goto(f"{product.url}/o/default/suppressions")
    expect(link).to_be_visible()
    assert link.get_attribute("aria-current") == "page"
    assert findings(page) == []


def test_a_form_that_is_refused_names_its_fields_and_takes_the_reader_there(
    page: Page, product: Product
) -> None:
    page.set_viewport_size(WIDE)
    page.goto(f"{product.url}/o/default/monitors/new/http")
    page.get_by_role("textbox", name="Name", exact=True).fill("home")
    page.get_by_role("button", name="Create monitor").click()
    summary = page.get_by_role("alert")
    expect(summary).to_contain_text("URL")
    expect(summary).to_be_focused()
    assert findings(page) == []
    summary.get_by_role("link", name="URL").click()
    expect(page.get_by_role("textbox", name="URL", exact=True)).to_be_focused()


@pytest.mark.parametrize(("name", "path"), [("overview", ""), ("monitor", "monitors/m/detectviz")])
def test_the_pictures_of_the_readme_show_what_is_there(
    page: Page, product: Product, tmp_path: Path, name: str, path: str
) -> None:
    """Rewrite docs/images under DETECTVIZ_WRITE_SCREENSHOTS=1."""
    is_kept = os.environ.get("DETECTVIZ_WRITE_SCREENSHOTS") == "1"  # noqa: TID251 - of tests only
    if is_kept:
        page.goto(f"{product.url}/o/default/monitors/m/detectviz")
        expect(page.locator(".beats rect.is-none")).to_have_count(0, timeout=280_000)
    page.set_viewport_size(WIDE)
    page.emulate_media(color_scheme="light")
    page.goto(f"{product.url}/o/default/{path}")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    if name == "monitor":
        expect(page.locator("#response-chart canvas")).to_be_visible()
    folder = ROOT / "docs" / "images" if is_kept else tmp_path
    page.screenshot(path=folder / f"{name}.png", animations="disabled")
    assert 10_000 < (folder / f"{name}.png").stat().st_size < 250_000


def test_questions_are_asked_from_the_keyboard_and_the_address_is_the_question(
    page: Page, product: Product
) -> None:
    page.set_viewport_size(WIDE)
    page.goto(f"{product.url}/o/default/explore")
    page.locator(".cm-content").first.click()
    page.keyboard.type("count(probe_success)")
    page.keyboard.press("Shift+Enter")
    expect(page.locator("#answers")).to_contain_text("A: 1 series")
    page.get_by_role("button", name="Add query").click()
    page.keyboard.type("max(probe_success)")
    page.get_by_role("button", name="Run").click()
    expect(page.locator("#answers")).to_contain_text("B: 1 series")
    page.reload()
    expect(page.locator(".cm-content")).to_have_count(2)
    page.get_by_role("button", name="Remove this query").first.click()
    expect(page.locator("#answers")).not_to_contain_text("B:")
    page.get_by_role("link", name="Table").click()
    expect(page.locator("#answers")).to_contain_text("Value")
    assert "q=max" in page.url


def test_a_message_template_is_previewed_while_it_is_written(page: Page, product: Product) -> None:
    page.goto(f"{product.url}/o/default/message-templates/new")
    text = page.get_by_label("Template", exact=True)
    text.fill('{{ define "mine" }}{{ range .Alerts }}<{{ .Labels.monitor }}>{{ end }}{{ end }}')
    preview = page.locator("#template-preview")
    expect(preview).to_contain_text("<shop><blog>")
    text.fill('{{ define "mine" }}{{ .Nothing }}{{ end }}')
    expect(preview).to_contain_text("can't evaluate field Nothing")
    page.get_by_label("Sample, saved").fill('{"alerts": [{"labels": {"monitor": "own"}}]}')
    text.fill('{{ define "mine" }}{{ (index .Alerts 0).Labels.monitor }}!{{ end }}')
    expect(preview).to_contain_text("own!")


def matching_both_sides(product: Product) -> int:
    """Return how many alerts match both sides of a rule that is not saved."""
    sides = {
        "source_matchers": ['monitor="checkout"'],
        "target_matchers": ['alertname="MonitorDown"'],
    }
    where = "/apis/alerting/v1/orgs/default/inhibitionrules/preview"
    _, answer = product.call("POST", where, sides)
    return len(answer["on_both"])


def test_times_and_inhibition_show_what_they_do_while_they_are_typed(
    page: Page, product: Product, window: Window
) -> None:
    window.complaints.clear()
    page.set_viewport_size(WIDE)
    page.goto(f"{product.url}/o/default/times/new")
    preview = page.locator("#spec-preview")
    expect(preview).to_contain_text("09:00")
    page.get_by_label("From").fill("18:00")
    expect(preview).to_contain_text("The start must be before the end")
    page.get_by_label("To").fill("24:00")
    expect(preview).to_contain_text("18:00 on")
    page.get_by_role("button", name="Remove this entry of Times").click()
    for day in ("Mon", "Tue", "Wed", "Thu", "Fri"):
        page.get_by_role("checkbox", name=day, exact=True).uncheck()
    expect(preview).to_contain_text("no change for more than a year")
    until(lambda: matching_both_sides(product), "the failing monitor is an alert")
    page.goto(f"{product.url}/o/default/inhibition/new")
    expect(preview).to_contain_text("Write a source and a target")
    page.get_by_label("Source").fill('monitor="checkout"')
    page.get_by_label("Target").fill('alertname="MonitorDown"')
    expect(preview).to_contain_text("match")
    expect(preview.locator(".notice")).to_contain_text("source and target")
    assert findings(page) == []
    # HTMX says so when what is typed next makes it give up a preview that is on its way.
    given_up = ("htmx:afterRequest", "htmx:sendAbort")
    assert [each for each in window.complaints if not any(word in each for word in given_up)] == []


def test_a_chosen_file_is_imported_at_the_second_click(page: Page, product: Product) -> None:
    page.goto(f"{product.url}/o/default/transfer")
    manifest = b"apiVersion: core/v1\nkind: Folder\nmetadata: {name: imported}\nspec: {}\n"
    page.get_by_label("Or a file").set_input_files(
        {"name": "folder.yaml", "mimeType": "application/yaml", "buffer": manifest}
    )
    page.get_by_role("button", name="See what would happen").click()
    result = page.locator("#import-result")
    expect(result).to_contain_text("Manifests of Detectviz: 1 created")
    page.get_by_role("button", name="Import this").click()
    expect(result).to_contain_text("Imported")
    expect(page.get_by_role("button", name="Import this")).to_have_count(0)


def test_alerts_are_silenced_from_their_list_and_one_sees_what_would_be_muted(
    page: Page, product: Product, window: Window
) -> None:
    window.complaints.clear()
    page.set_viewport_size(WIDE)
    page.goto(f"{product.url}/o/default/alerts")
    page.get_by_label("Select MonitorDown").first.check()
    page.get_by_role("button", name="Silence…").click()
    preview = page.get_by_role("region", name="What it mutes")
    expect(preview).to_contain_text("1 of ")
    value = page.get_by_label("Value", exact=True).first
    value.fill("MonitorUp")
    expect(preview).to_contain_text("Is it spelled right?")
    value.fill("MonitorD")
    offered = value.locator("xpath=following-sibling::datalist[1]/option")
    expect(offered.first).to_have_attribute("value", "MonitorDown")
    page.get_by_role("button", name="Or: other alerts too").click()
    page.get_by_label("Label", exact=True).last.fill("severity")
    page.get_by_label("Operator").last.select_option("=~")
    page.get_by_label("Value", exact=True).last.fill("(")
    expect(page.locator("#matchers-said")).to_contain_text("not a valid RE2 expression")
    page.get_by_text("Until Monday 09:00").click()
    expect(page.locator("#times-said")).to_contain_text("Until Mon ")
    assert findings(page) == []
    assert window.complaints == []


def test_the_editor_completes_what_the_doors_know(page: Page, product: Product) -> None:
    page.set_viewport_size(WIDE)
    page.goto(f"{product.url}/o/default/explore")
    page.locator(".cm-content").first.click()
    offers = page.locator(".cm-tooltip-autocomplete")
    page.keyboard.type("probe_succ")
    expect(offers).to_contain_text("probe_success")
    page.keyboard.press("Escape")
    page.keyboard.type("ess{moni")
    expect(offers).to_contain_text("monitor")
    page.keyboard.press("Escape")
    page.keyboard.type('tor="chec')
    expect(offers).to_contain_text("checkout")


def test_rules_are_written_with_the_same_editor(
    page: Page, product: Product, window: Window
) -> None:
    window.complaints.clear()
    page.set_viewport_size(WIDE)
    page.goto(f"{product.url}/o/default/rules/new")
    page.get_by_role("button", name="Add rule").click()
    expressions = page.get_by_role("textbox", name="Expression")
    expect(expressions).to_have_count(2)
    expressions.nth(1).click()
    page.keyboard.type("probe_succ")
    expect(page.locator(".cm-tooltip-autocomplete")).to_contain_text("probe_success")
    page.keyboard.press("Escape")
    page.keyboard.type("ess < 2")
    page.keyboard.press("Shift+Enter")
    expect(page.locator(".rule-preview").nth(1)).to_contain_text("Holds now for")
    assert page.locator("textarea[name$='/expr']").nth(1).input_value() == "probe_success < 2"
    assert findings(page) == []
    assert window.complaints == []


def test_a_window_asks_what_its_strategy_needs_and_shows_its_times(
    page: Page, product: Product, window: Window
) -> None:
    window.complaints.clear()
    page.set_viewport_size(WIDE)
    page.goto(f"{product.url}/o/default/maintenance/new")
    preview = page.locator("#spec-preview")
    expect(page.get_by_label("Saturday")).to_be_visible()
    page.get_by_label("When").select_option("monthly")
    expect(page.get_by_label("Saturday")).to_be_hidden()
    page.locator("#f-nth_weekdays").get_by_role("button", name="Add").click()
    expect(preview).to_contain_text("Next times")
    page.get_by_label("Choose one to add: Monitors").fill("checkout")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Monitors", exact=True)).to_have_value("checkout")
    expect(preview).to_contain_text("Covers now")
    page.get_by_role("button", name="YAML").click()
    expect(page.locator("#spec-text")).to_contain_text("first monday")
    page.get_by_role("button", name="Form").click()
    expect(page.get_by_label("Monitors", exact=True)).to_have_value("checkout")
    assert findings(page) == []
    assert window.complaints == []


CANVAS = "getComputedStyle(document.body).backgroundColor"


def picture(page: Page, name: str) -> None:
    """Take a picture for whoever wants to look, where DETECTVIZ_PICTURES says so."""
    folder = os.environ.get("DETECTVIZ_PICTURES")  # noqa: TID251 - the test's own
    if folder:
        page.screenshot(path=Path(folder) / f"{name}.png", animations="disabled")


@pytest.mark.parametrize(
    ("name", "grounds"),
    [
        ("forest", ("rgb(244, 243, 236)", "rgb(14, 21, 18)")),
        ("high-contrast", ("rgb(255, 255, 255)", "rgb(0, 0, 0)")),
    ],
)
def test_a_chosen_theme_colours_every_page_and_all_can_be_read(
    page: Page, product: Product, window: Window, name: str, grounds: tuple[str, str]
) -> None:
    window.complaints.clear()
    page.set_viewport_size(WIDE)
    page.emulate_media(color_scheme="light")
    page.goto(f"{product.url}/o/default/appearance")
    page.locator(f'input[name="theme"][value="{name}"]').check()
    page.get_by_role("button", name="Use it").click()
    for path in ("/o/default/", "/o/default/monitors/m/checkout"):
        page.goto(product.url + path)
        assert page.evaluate(CANVAS) == grounds[0]
        assert findings(page, "color-contrast") == []
    picture(page, f"theme-{name}-light")
    go_dark(page)
    assert page.evaluate(CANVAS) == grounds[1]
    assert findings(page, "color-contrast") == []
    picture(page, f"theme-{name}-dark")
    page.goto(f"{product.url}/o/default/appearance")
    page.locator('input[name="theme"][value=""]').check()
    page.get_by_role("button", name="Use it").click()
    expect(page.locator('link[href^="/plugins/themes/"]')).to_have_count(0)
    assert window.complaints == []


def test_a_visualizer_is_chosen_and_stays_in_the_address(page: Page, product: Product) -> None:
    page.set_viewport_size(WIDE)
    page.emulate_media(color_scheme="light")
    page.goto(f"{product.url}/o/default/explore?q=probe_success")
    page.get_by_label("Show as").select_option("visualizers/bar")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.locator(".drawing-bars li").first).to_be_visible()
    assert "view=visualizers%2Fbar" in page.url
    page.get_by_role("button", name="Run").click()
    expect(page.locator(".drawing-bars li").first).to_be_visible()
    picture(page, "explore-bars")


PUSH = """
    const bytes = (size) => new Uint8Array(size).fill(7).buffer;
    window.asked = [];
    Notification.requestPermission = async () => "granted";
    PushManager.prototype.subscribe = async (options) => {
      window.asked.push(options.userVisibleOnly, options.applicationServerKey.length);
      const sizes = { p256dh: 65, auth: 16 };
      return { endpoint: "https://127.0.0.1:9/push", getKey: (name) => bytes(sizes[name]) };
    };
    HTMLFormElement.prototype.submit = function () {
      window.asked.push(this.action, this.elements.p256dh.value.length, this.elements.auth.value);
    };
"""


def test_a_browser_asks_to_be_told_in_it(page: Page, product: Product, window: Window) -> None:
    window.complaints.clear()
    page.add_init_script(PUSH)
    page.goto(f"{product.url}/o/default/me/notifications")
    picture(page, "how-i-am-told")
    page.get_by_role("button", name="Tell me in this browser").click()
    expect(page.get_by_role("status").filter(has_text="Sending a test")).to_be_visible()
    target = f"{product.url}/o/default/me/notifications/browser"
    assert page.evaluate("window.asked") == [True, 65, target, 87, "BwcHBwcHBwcHBwcHBwcHBw"]
    assert window.complaints == []
