"""People choose themes, orgs set one, and pages show what counts."""

import re
from collections.abc import Iterator
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.audit.selectors import audit_list
from apps.extensions.selectors import policy_holder
from apps.extensions.services.following import plugins_refresh
from apps.orgs.models import Org
from detectviz.contracts.types import PluginKind
from detectviz.testing.plugins import built_in_plugins
from tests.factories.accounts import make_full_org
from tests.factories.pages import make_browser

pytestmark = pytest.mark.django_db
HERE = "/o/acme/appearance"
SHEET = rb'href="(/plugins/themes/([a-z-]+)/\w+\.css)"'


@pytest.fixture
def org() -> Org:
    return make_full_org("acme")


@pytest.fixture
def browser(org: Org) -> Client:
    return make_browser(org, "viewer", username="vera")


@pytest.fixture
def policy() -> Iterator[None]:
    yield
    policy_holder().forget()


def shown(browser: Client, path: str = "/o/acme/monitors") -> str:
    """Return the theme that a page links, empty for the plain look."""
    found = re.search(SHEET, browser.get(path).content)
    return found[2].decode() if found else ""


def test_the_page_offers_every_theme(browser: Client) -> None:
    page = browser.get(HERE)
    assert page.status_code == 200
    for name in (b"forest", b"high-contrast"):
        assert b'value="' + name + b'"' in page.content
    assert b"Theme of the organisation" not in page.content


def test_what_a_person_chose_is_linked_by_its_hash_and_kept_for_ever(browser: Client) -> None:
    assert shown(browser) == ""
    assert browser.post(HERE, {"theme": "forest"}).status_code == 302
    found = re.search(SHEET, browser.get("/o/acme/monitors").content)
    assert found is not None
    sheet = browser.get(found[1].decode())
    assert sheet.headers["Content-Type"] == "text/css; charset=utf-8"
    assert "immutable" in sheet.headers["Cache-Control"]
    palette = built_in_plugins().load(PluginKind.THEME, "forest").palette()
    assert f"--dv-accent:{palette.light['accent']}".encode() in sheet.content
    assert f"--dv-accent:{palette.dark['accent']}".encode() in sheet.content


def test_pages_keep_their_strict_policy(browser: Client) -> None:
    browser.post(HERE, {"theme": "forest"})
    policy = browser.get("/o/acme/monitors").headers["Content-Security-Policy"]
    assert "style-src 'self';" in f"{policy};"
    assert b"style=" not in browser.get(HERE).content


@pytest.mark.parametrize("digest", ["0", "00000000000000000000"])
def test_another_hash_is_not_found(digest: str, client: Client) -> None:
    assert client.get(f"/plugins/themes/forest/{digest}.css").status_code == 404
    assert client.get(f"/plugins/themes/nothing/{digest}.css").status_code == 404


def test_the_orgs_theme_is_for_those_who_chose_none(org: Org, browser: Client) -> None:
    admin = make_browser(org, "admin", username="ada")
    assert admin.post(f"{HERE}/default", {"theme": "high-contrast"}).status_code == 302
    assert shown(browser) == "high-contrast"
    assert shown(admin) == "high-contrast"
    browser.post(HERE, {"theme": "forest"})
    assert shown(browser) == "forest"
    browser.post(HERE, {"theme": "-"})
    assert shown(browser) == ""
    browser.post(HERE, {"theme": ""})
    assert shown(browser) == "high-contrast"
    assert audit_list(org, filters={"action": "org.update"}).count() == 1


def test_viewers_do_not_decide_for_the_org(org: Org, browser: Client) -> None:
    assert browser.post(f"{HERE}/default", {"theme": "forest"}).status_code == 403
    org.refresh_from_db()
    assert org.theme == ""


def test_what_there_is_not_cannot_be_chosen(org: Org, browser: Client) -> None:
    assert browser.post(HERE, {"theme": "nothing"}).status_code == 422
    assert shown(browser) == ""


@pytest.mark.usefixtures("policy")
def test_a_theme_the_org_switched_off_is_neither_offered_nor_shown(
    org: Org, browser: Client
) -> None:
    browser.post(HERE, {"theme": "forest"})
    make_browser(org, "admin", username="ada").post(f"{HERE}/default", {"theme": "high-contrast"})
    call_command("plugins", "disable", "themes/forest", "--org", "acme", stdout=StringIO())
    plugins_refresh()
    assert b'value="forest"' not in browser.get(HERE).content
    assert shown(browser) == "high-contrast"
    assert browser.post(HERE, {"theme": "forest"}).status_code == 422


def test_a_theme_asks_no_database(browser: Client) -> None:
    browser.get(HERE)
    with CaptureQueriesContext(connection) as plain:
        browser.get(HERE)
    browser.post(HERE, {"theme": "forest"})
    browser.get(HERE)  # shows the message of the write
    with CaptureQueriesContext(connection) as themed:
        assert shown(browser, HERE) == "forest"
    assert len(themed) == len(plain)


def test_the_api_sets_the_orgs_theme(org: Org) -> None:
    admin = make_browser(org, "admin", username="ada")
    address = "/apis/core/v1/orgs/acme"
    answer = admin.put(address, {"spec": {"theme": "forest"}}, content_type="application/json")
    assert answer.status_code == 200
    kept = {"title": org.title, "is_active": True, "time_zone": "UTC"}
    assert answer.json()["spec"] == {**kept, "theme": "forest"}
