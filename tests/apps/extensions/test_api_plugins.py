"""``plugins/v1`` over REST."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import Client

from apps.extensions.selectors import plugin_host_use
from apps.orgs.models import Org
from detectviz.pluginhost.host import PluginHost
from detectviz.pluginhost.pipeline import scan
from detectviz.testing.plugins import built_in_plugins
from tests.factories.accounts import make_member
from tests.factories.orgs import make_org

pytestmark = pytest.mark.django_db

BASE = "/apis/plugins/v1/orgs/acme/plugins"


@pytest.fixture(autouse=True)
def plugins() -> Iterator[None]:
    plugin_host_use(built_in_plugins())
    yield
    plugin_host_use(None)


@pytest.fixture
def org() -> Org:
    return make_org()


@pytest.fixture
def api(org: Org, client: Client) -> Client:
    client.force_login(make_member(org, "ops", "admin"))
    return client


def test_plugins_are_listed_by_kind(api: Client) -> None:
    body = api.get(f"{BASE}?kind=collectors").json()
    assert body["kind"] == "PluginList"
    push = next(item for item in body["items"] if item["metadata"]["name"] == "push")
    assert push["spec"]["title"] == "Heartbeat"
    assert {item["spec"]["kind"] for item in body["items"]} == {"collectors"}


def test_one_plugin_tells_its_schema(api: Client) -> None:
    body = api.get(f"{BASE}/collectors/push").json()
    assert "period" in body["spec"]["config_schema"]["properties"]


def test_a_broken_plugin_is_listed_with_its_reasons(api: Client, tmp_path: Path) -> None:
    (tmp_path / "collectors" / "half").mkdir(parents=True)
    plugin_host_use(PluginHost(scan([tmp_path])))
    (item,) = api.get(BASE).json()["items"]
    assert item["status"]["state"] == "broken"
    assert item["status"]["problems"]
    assert str(tmp_path) not in str(item)


@pytest.mark.parametrize(
    ("path", "status"),
    [("/collectors/none", 404), ("/nothing/push", 404), ("?kind=nothing", 422)],
)
def test_what_is_not_there_is_said_so(api: Client, path: str, status: int) -> None:
    assert api.get(BASE + path).status_code == status


def test_strangers_see_nothing(org: Org, api: Client) -> None:
    stranger = Client()
    stranger.force_login(make_member(make_org("other"), "eve", "admin"))
    assert stranger.get(BASE).status_code == 404
    assert Client().get(BASE).status_code in {401, 403}
