"""Nobody leaves his org by what he asks."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from django.test import Client

from apps.accounts.models import User
from apps.series.services import series_store_use
from detectviz.promql.memory_store import MemoryStore
from tests.factories.queries import NOW_S, Asker, make_asker

ESCAPES = [
    '{__name__=~".+"}',
    '{__name__=~".*secret.*"}',
    '{org="rival"}',
    '{tenant="rival",__name__=~".+"}',
    '{__tenant__=~".*"} or {__name__!=""}',
    '{__name__!="nothing"}',
    "secret_metric or up offset -5m",
    'count({__name__=~".+"})',
    "absent(secret_metric) or secret_metric @ end()",
    'info({__name__=~".+"}, {__name__=~".+_info"})',
    'label_replace({__name__=~".+"}, "org", "rival", "", "")',
]
WORD = b"secret"


class WatchedStore(MemoryStore):
    """Remembers for which tenants it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.tenants: set[str] = set()


def _watch(name: str) -> Any:
    def call(self: WatchedStore, tenant: str, *arguments: Any, **named: Any) -> Any:
        self.tenants.add(tenant)
        return getattr(MemoryStore, name)(self, tenant, *arguments, **named)

    return call


for _name in ("select", "series", "label_names", "label_values", "delete", "cardinality"):
    setattr(WatchedStore, _name, _watch(_name))


@pytest.fixture
def memory() -> Any:
    store = WatchedStore()
    series_store_use(store)
    yield store
    series_store_use(None)


@pytest.fixture
def watched(rival: Asker) -> Asker:
    rival.put(1, __name__="secret_metric", secret="secret")
    rival.put(1, __name__="secret_info", instance="secret", job="secret")
    return rival


def calls(selector: str) -> Sequence[tuple[str, Mapping[str, Any]]]:
    span = {"start": NOW_S - 60, "end": NOW_S + 60}
    return [
        ("api/v1/query", {"query": selector, "time": NOW_S}),
        ("api/v1/query_range", {"query": selector, "step": 30, **span}),
        ("api/v1/query_exemplars", {"query": selector, **span}),
        ("api/v1/series", {"match": selector, **span}),
        ("api/v1/labels", {"match": selector, **span}),
        ("api/v1/labels", {}),
        ("api/v1/label/secret/values", {}),
        ("api/v1/label/__name__/values", {"match": selector, **span}),
        ("api/v1/metadata", {}),
        ("api/v1/status/tsdb", {}),
        ("federate", {"match": selector}),
    ]


@pytest.mark.parametrize("selector", ESCAPES)
def test_no_selector_reaches_another_org(
    asker: Asker, watched: Asker, memory: WatchedStore, selector: str
) -> None:
    for path, parameters in calls(selector):
        for method in ("get", "post"):
            said = asker.send(method, path, **parameters).content
            assert WORD not in said or b'"errorType":"bad_data"' in said, (path, said)
    assert memory.tenants <= {asker.org.uid}


def test_deleting_everything_leaves_the_other_org_alone(asker: Asker, watched: Asker) -> None:
    asker.put(1)
    response = asker.send("post", "api/v1/admin/tsdb/delete_series", match='{__name__=~".+"}')
    assert response.status_code == 204
    assert asker.get("query", query="up", time=NOW_S)["data"]["result"] == []
    assert watched.get("query", query="secret_metric", time=NOW_S)["data"]["result"] != []


def test_anothers_org_is_not_found(asker: Asker, watched: Asker) -> None:
    path = f"/orgs/{watched.org.name}/prometheus/api/v1/query"
    response = asker.client.get(path, {"query": "1"})
    assert response.status_code == 404
    assert response.json() == {"status": "error", "errorType": "not_found", "error": "Not found."}


def test_without_permission_nothing_is_told(asker: Asker, memory: WatchedStore) -> None:
    limited = make_asker(asker.org, memory, "monitors:read")
    assert limited.get("query", status=403, query="1")["errorType"] == "forbidden"
    reader = make_asker(asker.org, memory, "series:read", "monitors:read", role="viewer")
    assert reader.get("query", query="1")["status"] == "success"
    denied = reader.send("post", "api/v1/admin/tsdb/delete_series", match="up")
    assert denied.status_code == 403


def test_without_a_key_nobody_enters(asker: Asker, client: Any) -> None:
    response = client.get(f"/orgs/{asker.org.name}/prometheus/api/v1/query", {"query": "1"})
    assert response.status_code == 401
    assert response["WWW-Authenticate"].startswith("Bearer")
    assert response.json()["errorType"] == "unauthorized"


def test_a_session_asks_with_its_token_only_when_it_posts(asker: Asker) -> None:
    user = User.objects.get(username="acme-admin")
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(user)
    path = f"/orgs/{asker.org.name}/prometheus/api/v1/query"
    assert browser.get(path, {"query": "1"}).status_code == 200
    assert browser.post(path, {"query": "1"}).status_code == 403
    token = "a" * 32
    browser.cookies["csrftoken"] = token
    assert browser.post(path, {"query": "1"}, headers={"X-CSRFToken": token}).status_code == 200
