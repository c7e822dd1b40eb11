"""Tools over REST: for those who may, judged by the schema, audited, not without end."""

from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.core.cache import cache
from django.core.management import call_command
from django.test import Client

from apps.audit.selectors import audit_list
from apps.extensions.selectors import policy_holder
from apps.extensions.services import tools
from apps.extensions.services.following import plugins_refresh
from apps.orgs.models import Org
from tests.factories.accounts import make_full_org
from tests.factories.pages import make_browser

pytestmark = pytest.mark.django_db
TOOLS = "/apis/plugins/v1/orgs/acme/tools"


@pytest.fixture
def org() -> Org:
    cache.clear()
    return make_full_org("acme")


@pytest.fixture
def client(org: Org) -> Client:
    return make_browser(org, username="ada")


@pytest.fixture
def policy() -> Iterator[None]:
    yield
    policy_holder().forget()


def run(client: Client, name: str, body: object) -> Any:
    return client.post(f"{TOOLS}/{name}/run", body, content_type="application/json")


def test_the_list_has_the_schema_of_what_each_is_asked(client: Client) -> None:
    items = client.get(TOOLS).json()["items"]
    names = [item["metadata"]["name"] for item in items]
    assert names == ["dns-lookup", "http-trace", "tls-inspect"]
    assert items[0]["spec"]["config_schema"]["required"] == ["name"]


def test_a_run_answers_and_is_audited(org: Org, client: Client) -> None:
    answer = run(client, "http-trace", {"spec": {"config": {"url": "http://127.0.0.1:1/"}}})
    assert answer.status_code == 200
    found = answer.json()
    assert found["kind"] == "ToolRun"
    assert found["spec"] == {"config": {"url": "http://127.0.0.1:1/"}}
    assert found["status"]["ok"] is False
    assert found["status"]["summary"]
    assert isinstance(found["status"]["drawings"], list)
    assert [event.name for event in audit_list(org, filters={"action": "tool.run"})] == [
        "http-trace"
    ]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "spec.config.url"),
        ({"spec": {"config": {"url": 1}}}, "spec.config.url"),
        ({"spec": {"config": {"url": "http://a/", "more": 1}}}, "spec.config.more"),
        ({"spec": {"config": [], "other": 1}}, "spec.config"),
        ({"spec": 7}, "spec"),
    ],
)
def test_what_the_schema_refuses_is_named_and_not_run(
    org: Org, client: Client, body: object, field: str
) -> None:
    answer = run(client, "http-trace", body)
    assert answer.status_code == 422
    assert field in str(answer.json())
    assert not audit_list(org, filters={"action": "tool.run"}).exists()


def test_a_tool_there_is_not_is_not_found(client: Client) -> None:
    assert run(client, "nothing", {}).status_code == 404


@pytest.mark.usefixtures("policy")
def test_a_tool_that_is_switched_off_is_not_there(client: Client) -> None:
    call_command("plugins", "disable", "tools/dns-lookup", "--org", "acme", stdout=StringIO())
    plugins_refresh()
    names = [item["metadata"]["name"] for item in client.get(TOOLS).json()["items"]]
    assert "dns-lookup" not in names
    assert run(client, "dns-lookup", {"spec": {"config": {"name": "a"}}}).status_code == 404


def test_viewers_may_not_run_tools(org: Org) -> None:
    viewer = make_browser(org, "viewer", username="vera")
    assert viewer.get(TOOLS).status_code == 403
    assert run(viewer, "dns-lookup", {}).status_code == 403


def test_nobody_runs_tools_without_end(
    org: Org, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tools, "RUNS_PER_MINUTE", 2)
    monkeypatch.setattr("apps.extensions.services.tools.time.time", lambda: 1_000_000.0)
    body = {"spec": {"config": {"url": "http://127.0.0.1:1/"}}}
    statuses = [run(client, "http-trace", body).status_code for _ in range(3)]
    assert statuses == [200, 200, 429]
    other = make_browser(org, username="bob")
    assert run(other, "http-trace", body).status_code == 200
    page = client.post("/o/acme/tools/http-trace", {"config/url": "http://127.0.0.1:1/"})
    assert page.status_code == 429


def test_the_schema_of_the_api_has_both(client: Client) -> None:
    paths = client.get("/apis/schema?format=json").json()["paths"]
    assert "get" in paths["/apis/plugins/v1/orgs/{org}/tools"]
    described = paths["/apis/plugins/v1/orgs/{org}/tools/{name}/run"]["post"]
    assert "ToolRunRequest" in str(described["requestBody"])
