"""``plugins/v1`` over REST."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import Client

from apps.extensions.selectors import (
    host_options,
    plugin_asset_path,
    plugin_host_use,
    policy_holder,
)
from apps.extensions.services import following
from apps.extensions.services.following import plugins_refresh
from apps.orgs.models import Org
from detectviz.contracts.types import PluginKind
from detectviz.pluginhost.host import PluginHost
from detectviz.pluginhost.pipeline import scan
from detectviz.testing.plugins import built_in_plugins
from tests.factories.accounts import make_member, make_user
from tests.factories.monitors import make_monitor
from tests.factories.orgs import make_org

pytestmark = pytest.mark.django_db

BASE = "/apis/plugins/v1/orgs/acme/plugins"


@pytest.fixture(autouse=True)
def plugins(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    plugin_host_use(PluginHost(built_in_plugins().store, host_options()))
    monkeypatch.setattr(following, "plugins_scan", lambda: built_in_plugins().store)
    yield
    plugin_host_use(None)
    policy_holder().forget()


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


def test_an_administrator_switches_a_plugin_for_the_org(api: Client) -> None:
    plugin = f"{BASE}/collectors/push"
    assert api.post(f"{plugin}/disable").json() == {"plugin": "collectors/push", "enabled": False}
    plugins_refresh()
    assert api.get(plugin).json()["status"]["enabled"] is False
    assert api.get(plugin).json()["status"]["deployment_enabled"] is True
    api.post(f"{plugin}/enable")
    plugins_refresh()
    assert api.get(plugin).json()["status"]["enabled"] is True


def test_a_viewer_switches_nothing(org: Org) -> None:
    viewer = Client()
    viewer.force_login(make_member(org, "vera", "viewer"))
    assert viewer.post(f"{BASE}/collectors/push/disable").status_code == 403
    assert viewer.put(f"{BASE}/collectors/push/config").status_code == 403


def test_the_deployment_is_the_platforms(api: Client, org: Org) -> None:
    address = f"{BASE}/collectors/push/deployment"
    body = {"spec": {"enabled": False, "settings": {"size": 3}}}
    assert api.put(address, body, content_type="application/json").status_code == 403
    root = Client()
    root.force_login(make_user("root", is_superuser=True))
    assert root.put(address, body, content_type="application/json").status_code == 200
    plugins_refresh()
    assert api.get(f"{BASE}/collectors/push").json()["status"]["deployment_enabled"] is False
    assert "health" not in api.get(f"{BASE}/collectors/push").json()["status"]
    assert "health" in root.get(f"{BASE}/collectors/push").json()["status"]


def test_an_orgs_settings_come_back_without_their_secrets(api: Client, host: PluginHost) -> None:
    address = f"{BASE}/collectors/probe/config"
    spec = {"config": {"region": "eu"}, "secrets": {"token": "s3cret"}}
    body = {"metadata": {"resource_version": 0}, "spec": spec}
    answer = api.put(address, body, content_type="application/json")
    assert answer.status_code == 200
    assert b"s3cret" not in answer.content
    assert api.get(address).json()["spec"]["secrets"] == {"token": {"set": True}}
    assert api.put(address, body, content_type="application/json").status_code == 409
    wrong = {"spec": {"config": {"regoin": "eu"}}}
    problem = api.put(address, wrong, content_type="application/json")
    assert problem.status_code == 422
    assert problem.json()["errors"][0]["field"] == "spec.config.regoin"


def test_a_plugin_without_settings_of_an_org_says_so(api: Client) -> None:
    answer = api.put(
        f"{BASE}/collectors/push/config", {"spec": {}}, content_type="application/json"
    )
    assert answer.status_code == 422
    assert "no settings" in answer.content.decode()


def test_a_plugin_tells_what_uses_it(api: Client, org: Org) -> None:
    make_monitor(org, "beat", type="push")
    other = make_org("other")
    make_monitor(other, "beat", type="push")
    used = api.get(f"{BASE}/collectors/push").json()["status"]["used_by"]
    assert used == {"Monitor": 1}


def test_assets_are_kept_for_ever_under_their_hash(client: Client, host: PluginHost) -> None:
    static = host.describe(PluginKind.COLLECTOR, "probe").folder / "static"
    static.mkdir()
    (static / "graph.js").write_text("export {}")
    plugin_host_use(PluginHost(scan([static.parents[2]])))
    path = plugin_asset_path(PluginKind.COLLECTOR, "probe", "graph.js")
    assert path is not None
    answer = client.get(path)
    assert answer.content == b"export {}"
    assert answer["Content-Type"] == "text/javascript; charset=utf-8"
    assert "immutable" in answer["Cache-Control"]
    assert answer["X-Content-Type-Options"] == "nosniff"
    base = path.removesuffix("graph.js")
    assert client.get(f"{base}../../../plugin.yaml").status_code == 404
    assert client.get(f"{base}..%2f..%2fplugin.yaml").status_code == 404
    assert client.get(f"{base}/etc/passwd").status_code == 404
    assert client.get("/plugins/assets/collectors/probe/0123/graph.js").status_code == 404
