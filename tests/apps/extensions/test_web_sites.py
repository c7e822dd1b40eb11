"""Pages of plugins: reached by those who may, in the host's frame, failing by themselves."""

import pytest
from django.test import Client

from apps.extensions.selectors import plugin_client
from apps.orgs.models import Org
from detectviz.contracts.errors import PluginError
from detectviz.contracts.pages import PageAnswer, PageRequest, PagesContext
from detectviz.contracts.types import PluginKind
from tests.factories.accounts import make_full_org
from tests.factories.monitors import make_monitor
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
