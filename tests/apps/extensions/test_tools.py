"""Tools run for those who may, and every run is audited."""

from collections.abc import Iterator
from io import StringIO

import orjson
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from apps.audit.selectors import audit_list
from apps.extensions.selectors import policy_holder
from apps.extensions.services.following import plugins_refresh
from apps.orgs.models import Org
from tests.factories.accounts import make_full_org
from tests.factories.pages import HTMX, make_browser

pytestmark = pytest.mark.django_db


@pytest.fixture
def org() -> Org:
    return make_full_org("acme")


def test_the_page_offers_the_tools(org: Org) -> None:
    page = make_browser(org, username="ada").get("/o/acme/tools")
    assert b"/o/acme/tools/dns-lookup" in page.content


def test_a_run_answers_and_is_audited(org: Org) -> None:
    browser = make_browser(org, username="ada")
    form = {"config/host": "127.0.0.1", "config/port": "1"}
    page = browser.post("/o/acme/tools/tls-inspect", form, headers=HTMX)
    assert page.status_code == 200
    assert b"Not all right" in page.content
    events = audit_list(org, filters={"action": "tool.run"})
    assert [event.name for event in events] == ["tls-inspect"]


def test_what_the_schema_refuses_is_named_and_not_run(org: Org) -> None:
    page = make_browser(org, username="ada").post("/o/acme/tools/tls-inspect", {"config/port": "0"})
    assert page.status_code == 422
    assert b"Nothing was run" in page.content
    assert not audit_list(org, filters={"action": "tool.run"}).exists()


def test_viewers_may_not_run_tools(org: Org) -> None:
    browser = make_browser(org, "viewer", username="vera")
    assert browser.get("/o/acme/tools").status_code == 403
    assert browser.post("/o/acme/tools/dns-lookup", {"config/name": "x"}).status_code == 403


@pytest.fixture
def policy() -> Iterator[None]:
    yield
    policy_holder().forget()


@pytest.mark.usefixtures("policy")
def test_a_tool_that_is_switched_off_is_not_there(org: Org) -> None:
    call_command("plugins", "disable", "tools/dns-lookup", "--org", "acme", stdout=StringIO())
    plugins_refresh()
    assert make_browser(org, username="ada").get("/o/acme/tools/dns-lookup").status_code == 404


def test_the_command_runs_a_tool(org: Org) -> None:
    out = StringIO()
    with pytest.raises(SystemExit):
        call_command(
            "tools", "run", "http-trace", "--org", "acme", "-o", "json",
            "--config", '{"url": "http://127.0.0.1:1/"}', stdout=out,
        )  # fmt: skip
    assert orjson.loads(out.getvalue())["is_ok"] is False


@pytest.mark.parametrize(
    ("config", "said"), [("{", "not valid JSON"), ("[]", "JSON object"), ("{}", "url")]
)
def test_the_command_says_what_is_wrong(org: Org, config: str, said: str) -> None:
    with pytest.raises(CommandError, match=said):
        call_command("tools", "run", "http-trace", "--org", "acme", "--config", config)
