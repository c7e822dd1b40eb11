"""Pages of plugins: reached by those who may, in the host's frame, failing by themselves."""

from dataclasses import replace

import pytest
from django.test import Client

from apps.alerting.models import Alert
from apps.alerting.services.builtin import builtin_create
from apps.extensions.selectors import plugin_client
from apps.extensions.services.pages import Reader, page_answer, site_get
from apps.orgs.models import Org
from detectviz.contracts.errors import PluginError
from detectviz.contracts.pages import PageAnswer, PageRequest, PagesContext
from detectviz.contracts.types import PluginKind
from detectviz.permissions.access import access_of
from detectviz.pluginhost.site import Part, Site
from tests.factories.accounts import grant, make_full_org, make_member
from tests.factories.monitors import START, make_monitor
from tests.factories.pages import HTMX, make_browser

pytestmark = pytest.mark.django_db
WALL = "/o/acme/x/status-wall/"


@pytest.fixture
def org() -> Org:
    return make_full_org("acme")


@pytest.fixture
def browser(org: Org) -> Client:
    return make_browser(org, "viewer", username="vera")


def test_the_wall_shows_the_monitors_in_the_frame_of_the_host(org: Org, browser: Client) -> None:
    make_monitor(org, name="shop")
    page = browser.get(WALL)
    assert page.status_code == 200
    assert b"/o/acme/monitors/m/shop" in page.content
    assert b"Content-Security-Policy" in str(page.headers).encode()
    assert b'aria-current="page"' in page.content


def test_a_partial_comes_without_the_frame(org: Org, browser: Client) -> None:
    make_monitor(org, name="shop")
    part = browser.get(f"{WALL}_partials/tiles", headers=HTMX)
    assert b"/o/acme/monitors/m/shop" in part.content
    assert b"<html" not in part.content


def test_the_overview_offers_its_widget(browser: Client) -> None:
    assert f"{WALL}_widgets/worst".encode() in browser.get("/o/acme/").content
    assert browser.get(f"{WALL}_widgets/worst").status_code == 200


@pytest.mark.parametrize(
    "path", ["nothing", "_partials/nothing", "_widgets/tiles", "_partials/../x", "_nothing/tiles"]
)
def test_an_address_it_does_not_have_is_not_found(browser: Client, path: str) -> None:
    assert browser.get(WALL + path).status_code == 404


def test_a_route_takes_only_the_methods_it_names(browser: Client) -> None:
    assert browser.post(WALL, {"a": "1"}).status_code == 405


def test_another_orgs_monitors_are_not_shown(org: Org, browser: Client) -> None:
    make_monitor(make_full_org("other"), name="foreign")
    assert b"foreign" not in browser.get(WALL).content


class Answering:
    """A pages plugin that does as it is told."""

    def __init__(self, answer: PageAnswer | Exception) -> None:
        self._answer = answer

    def answer(self, request: PageRequest, context: PagesContext) -> PageAnswer:
        """Answer or fail."""
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (PluginError("the wall fell"), "the wall fell"),
        (ZeroDivisionError("oops"), "oops"),
        (PageAnswer(template="gone.html"), "no template gone.html"),
        (PageAnswer(template="../../settings.html"), "no template"),
        (PageAnswer(redirect="elsewhere"), "no route"),
    ],
)
def test_what_fails_is_a_card_on_the_page(
    browser: Client,
    monkeypatch: pytest.MonkeyPatch,
    answer: PageAnswer | Exception,
    said: str,
) -> None:
    running = plugin_client().running(PluginKind.PAGES, "status-wall", org="acme")
    monkeypatch.setattr(running, "instance", Answering(answer))
    page = browser.get(WALL)
    assert page.status_code == 502
    assert said in page.content.decode()
    assert b"could not show this" in page.content
    assert browser.get("/o/acme/").status_code == 200


def test_widgets_stand_on_the_pages_of_monitors_and_alerts(
    org: Org, browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    wall, _ = site_get("acme", "status-wall")
    parts = tuple(
        Part(name=slot, title=slot.title(), slot=slot, permission="monitors:read")
        for slot in ("overview", "monitor", "alert")
    )
    hidden = Part(name="hidden", title="Hidden", slot="monitor", permission="users:delete")
    site = Site(widgets=(*parts, hidden))
    monkeypatch.setattr("apps.extensions.web.menu.site_list", lambda _: [(wall, site)])
    make_monitor(org, name="shop")
    page = browser.get("/o/acme/monitors/m/shop").content.decode()
    assert f'hx-get="{WALL}_widgets/monitor?subject=shop"' in page
    assert "_widgets/overview" not in page
    assert "_widgets/hidden" not in page
    group = builtin_create(org=org, now=START)
    alert = Alert.objects.create_for(
        org,
        rule=group.rules.all()[0],
        name="shop",
        fingerprint="00aa",
        labels={"alertname": "MonitorDown"},
        annotations={},
        state="firing",
        value="0",
        active_at=START,
    )
    page = browser.get("/o/acme/alerts/shop").content.decode()
    assert f'hx-get="{WALL}_widgets/alert?subject={alert.fingerprint}"' in page


@pytest.mark.parametrize(
    ("asks", "holds", "has"),
    [
        (("read",), ("series:read",), True),
        ((), ("series:read",), False),
        (("read",), ("monitors:read",), False),
    ],
)
def test_pages_read_series_where_plugin_and_reader_may(
    org: Org,
    monkeypatch: pytest.MonkeyPatch,
    asks: tuple[str, ...],
    holds: tuple[str, ...],
    has: bool,
) -> None:
    seen: list[object] = []

    class Looking:
        def answer(self, request: PageRequest, context: PagesContext) -> PageAnswer:
            seen.append(context.series)
            return PageAnswer(template="worst.html")

    plugin, site = site_get("acme", "status-wall")
    manifest = plugin.require()
    allowed = replace(manifest.permissions, series=asks)
    plugin = replace(plugin, manifest=replace(manifest, permissions=allowed))
    running = plugin_client().running(PluginKind.PAGES, "status-wall", org="acme")
    monkeypatch.setattr(running, "instance", Looking())
    user = make_member(org, "vera")
    grant(user, org, holds)
    reader = Reader(org=org, user=user, access=access_of(user, org))
    request = PageRequest(target="widget", name="worst")
    page_answer(reader=reader, plugin=plugin, site=site, request=request, base=WALL)
    assert [each is not None for each in seen] == [has]
