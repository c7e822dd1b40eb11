"""The form of a rule that asks datasources, its preview, and what stands in the way of deleting."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from django.test import Client
from pytest_django import Settings

from apps.alerting.models import RuleGroup
from apps.datasources.errors import InUseError
from apps.datasources.models import Datasource
from apps.datasources.selectors.resolution import memory_clear
from apps.datasources.services.datasources import datasource_delete
from apps.orgs.models import Org
from detectviz.promql.memory_store import MemoryStore
from tests.factories.accounts import make_api_key, make_bound_member, make_full_org
from tests.factories.alerting import make_rulegroup
from tests.factories.rule_queries import LOADS, load_rule, make_hosts, threshold, write_hosts

pytestmark = pytest.mark.django_db
GROUPS = "/apis/alerting/v1/orgs/acme/rulegroups"


@pytest.fixture
def org(store: MemoryStore) -> Org:
    memory_clear()
    return make_full_org("acme")


@pytest.fixture
def hosts(org: Org, tmp_path: Path, settings: Settings) -> Datasource:
    settings.DATASOURCE_FILES_DIR = tmp_path
    row = make_hosts(org, tmp_path)
    write_hosts(org, tmp_path, {"a": 7, "b": 1})
    return row


@pytest.fixture
def api(org: Org) -> Client:
    key = make_api_key(org, make_bound_member(org, "alice", "admin"))
    return Client(headers={"Authorization": f"Bearer {key.token}"})


def put(client: Client, rule: dict[str, Any]) -> Any:
    body = {
        "apiVersion": "alerting/v1",
        "kind": "RuleGroup",
        "metadata": {"name": "hosts"},
        "spec": {"rules": [rule]},
    }
    return client.put(f"{GROUPS}/hosts", orjson.dumps(body), content_type="application/json")


def test_what_is_written_comes_back(api: Client, hosts: Datasource) -> None:
    response = put(api, load_rule())
    assert response.status_code == 201, response.content
    assert api.get(f"{GROUPS}/hosts").json()["spec"]["rules"] == [load_rule()]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"condition": "Z"}, "spec.rules[0].condition"),
        ({"queries": [LOADS, LOADS]}, "spec.rules[0].queries[1].ref_id"),
        ({"queries": [{**LOADS, "datasource": "gone"}, threshold(5)]},
         "spec.rules[0].queries[0].datasource"),
        ({"queries": [{**LOADS, "model": {"nonsense": 1}}, threshold(5)]},
         "spec.rules[0].queries[0].model"),
        ({"queries": [LOADS, threshold(5, of="X")]}, "spec.rules[0].queries[1].model"),
        ({"queries": [LOADS, threshold(5, of="B")]}, "spec.rules[0].queries"),
        ({"expr": "up"}, "spec.rules[0].expr"),
    ],
)  # fmt: skip
def test_an_error_names_its_field(
    api: Client, hosts: Datasource, change: dict[str, Any], field: str
) -> None:
    response = put(api, load_rule(**change))
    assert response.status_code == 422, response.content
    assert field in response.content.decode()


def test_writing_a_query_takes_the_permission_to_ask(org: Org, hosts: Datasource) -> None:
    user = make_bound_member(org, "rita", "admin")
    key = make_api_key(org, user, "rulegroups:*", name="rules-only")
    client = Client(headers={"Authorization": f"Bearer {key.token}"})
    assert put(client, {"alert": "Down", "expr": "up == 0"}).status_code == 201
    assert put(client, load_rule()).status_code == 403


def test_a_datasource_that_rules_ask_is_not_deleted(org: Org, hosts: Datasource) -> None:
    group = make_rulegroup(org, "hosts", rules=[load_rule()])
    with pytest.raises(InUseError, match="rule HighLoad of the group hosts"):
        datasource_delete(datasource=hosts)
    group.delete()
    datasource_delete(datasource=hosts)


def test_the_preview_tells_each_dimension(api: Client, hosts: Datasource) -> None:
    answer = api.post(
        f"{GROUPS}/evaluate-preview", orjson.dumps(load_rule()), content_type="application/json"
    )
    assert answer.status_code == 200, answer.content
    assert [(row["labels"], row["state"]) for row in answer.json()["dimensions"]] == [
        ({"host": "a"}, "firing"),
        ({"host": "b"}, "normal"),
    ]


def test_the_form_shows_and_tries_what_is_stored(org: Org, hosts: Datasource) -> None:
    make_rulegroup(org, "hosts", rules=[load_rule()])
    page = Client()
    page.force_login(make_bound_member(org, "olga", "admin"))
    shown = page.get("/o/acme/rules/g/hosts/edit").content.decode()
    assert "SELECT host, load FROM hosts" in shown
    text = orjson.dumps([LOADS, threshold(5)]).decode()
    fields = {
        "preview": "rules/0",
        "~rules": "",
        "rules/0/kind": "alert",
        "rules/0/name": "HighLoad",
        "rules/0/asks": "datasources",
        "rules/0/queries": text,
        "rules/0/condition": "B",
    }
    tried = page.post("/o/acme/rules/preview", fields)
    assert tried.status_code == 200
    assert "Holds now for 1 of 2" in tried.content.decode(), tried.content.decode()
    saved = page.post(
        "/o/acme/rules/g/hosts/edit",
        {**{k: v for k, v in fields.items() if k != "preview"}, "interval": "1m"},
    )
    assert saved.status_code < 400, saved.content.decode()
    (rule,) = RuleGroup.objects.for_org(org).get(name="hosts").spec_rules
    assert rule["queries"] == [LOADS, threshold(5)]
