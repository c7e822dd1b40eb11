"""Rule groups and alerts through REST, apply and export."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from apps.accounts.models import User
from apps.alerting.models import Alert, RuleGroup
from apps.alerting.services.builtin import BUILTIN_RULES
from apps.alerting.services.groups import groups_evaluate_due
from apps.orgs.models import Org
from detectviz.clock import utc_now
from detectviz.promql.memory_store import MemoryStore
from tests.factories.accounts import make_full_org
from tests.factories.alerting import START, change_rulegroup, make_rulegroup, put, seconds

pytestmark = pytest.mark.django_db
BASE = "/apis/alerting/v1/orgs/acme"


@pytest.fixture
def org(store: MemoryStore) -> Org:
    return make_full_org("acme")


@pytest.fixture
def client(org: Org) -> Client:
    browser = Client()
    browser.force_login(
        User.objects.get(username="acme-admin"), "apps.accounts.services.signin.PersonBackend"
    )
    return browser


def put_group(client: Client, name: str = "web", **spec: Any) -> Any:
    body = {
        "apiVersion": "alerting/v1",
        "kind": "RuleGroup",
        "metadata": {"name": name},
        "spec": {"rules": [], **spec},
    }
    return client.put(f"{BASE}/rulegroups/{name}", body, content_type="application/json")


RULE = {
    "alert": "HomeDown",
    "expr": 'probe_success{monitor="home"} == 0',
    "for": "10s",
    "labels": {"severity": "critical"},
    "annotations": {"summary": "{{ $labels.monitor }} is down"},
}


def test_a_group_is_written_and_read_back_as_written(client: Client) -> None:
    answer = put_group(client, interval="5s", rules=[RULE])
    assert answer.status_code == 201, answer.content
    spec = client.get(f"{BASE}/rulegroups/web").json()["spec"]
    assert spec == {
        "title": "",
        "interval": "5s",
        "limit": 0,
        "query_offset": "0s",
        "labels": {},
        "enabled": True,
        "rules": [RULE],
    }
    again = put_group(client, interval="5s", rules=[RULE])
    assert again.status_code == 200
    assert again.json()["metadata"]["resource_version"] == 1


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"interval": "soon"}, "spec.interval"),
        ({"interval": "500ms"}, "spec.interval"),
        ({"interval": 5}, "spec.interval"),
        ({"limit": -1}, "spec.limit"),
        ({"labels": {"a-b": "c"}}, "spec.labels.a-b"),
        ({"nope": 1}, "spec.nope"),
        ({"rules": "x"}, "spec.rules"),
        ({"rules": [1]}, "spec.rules[0]"),
        ({"rules": [{"alert": "A"}]}, "spec.rules[0].expr"),
        ({"rules": [{"alert": "A", "expr": "up =="}]}, "spec.rules[0].expr"),
        ({"rules": [RULE, {"alert": "A", "expr": "up[5m]"}]}, "spec.rules[1].expr"),
        ({"rules": [{"expr": "up"}]}, "spec.rules[0].alert"),
        ({"rules": [{"alert": "A", "record": "a", "expr": "up"}]}, "spec.rules[0].alert"),
        ({"rules": [{"record": "a-b", "expr": "up"}]}, "spec.rules[0].record"),
        ({"rules": [{"record": "a", "expr": "up", "for": "1m"}]}, "spec.rules[0].for"),
        ({"rules": [{**RULE, "for": "1x"}]}, "spec.rules[0].for"),
        ({"rules": [{**RULE, "nope": "1x"}]}, "spec.rules[0].nope"),
        ({"rules": [{**RULE, "labels": {"__name__": "x"}}]}, "spec.rules[0].labels.__name__"),
        ({"rules": [{**RULE, "labels": {"a": 1}}]}, "spec.rules[0].labels.a"),
        ({"rules": [{**RULE, "annotations": {"a": "{{ nope }}"}}]}, "spec.rules[0].annotations.a"),
        ({"rules": [{**RULE, "no_data": "x"}]}, "spec.rules[0].no_data"),
        ({"rules": [{**RULE, "alert": "x" * 300}]}, "spec.rules[0].alert"),
        ({"rules": [{**RULE, "expr": "x" * 1_000_000}]}, "spec.rules[0].expr"),
    ],
)
def test_bad_input_names_its_field_and_writes_nothing(
    client: Client, spec: dict[str, Any], path: str
) -> None:
    answer = put_group(client, **spec)
    assert answer.status_code == 422, answer.content
    assert path in str(answer.json()), answer.json()
    assert RuleGroup.objects.across_orgs(reason="test").filter(name="web").count() == 0


def test_an_expression_that_can_not_be_parsed_shows_its_place(client: Client) -> None:
    answer = put_group(client, rules=[{"alert": "A", "expr": "sum(up"}])
    assert "1:7: parse error" in str(answer.json())


def test_alerts_are_listed_with_the_fields_programs_expect(
    client: Client, org: Org, store: MemoryStore
) -> None:
    put_group(client, interval="5s", rules=[{**RULE, "for": "0s"}])
    now = utc_now()
    put(store, org, now, 0, __name__="probe_success", monitor="home")
    groups_evaluate_due(owner="test", clock=lambda: now + seconds(6))
    (item,) = client.get(f"{BASE}/alerts").json()["items"]
    assert item["labels"] == {"alertname": "HomeDown", "monitor": "home", "severity": "critical"}
    assert item["annotations"] == {"summary": "home is down"}
    assert (item["state"], item["value"], item["suppressed_by"]) == ("firing", "0", [])
    assert item["active_at"] == item["fired_at"] is not None
    assert item["status"]["rule_group"] == "web"
    one = client.get(f"{BASE}/alerts/{item['metadata']['name']}")
    assert one.json() == item
    for query, found in (
        ("field_selector=state=firing", 1),
        ("field_selector=state=pending", 0),
        ("label_selector=severity=critical", 1),
        ("label_selector=severity=x", 0),
        ("search=HomeD", 1),
        ("search=critic", 1),
        ("search=nothing", 0),
    ):
        assert len(client.get(f"{BASE}/alerts?{query}").json()["items"]) == found, query
    (event,) = client.get(f"{BASE}/alerts/{item['metadata']['name']}/history").json()["items"]
    assert (event["previous"], event["state"]) == ("inactive", "firing")


def test_alerts_can_not_be_written(client: Client) -> None:
    assert client.post(f"{BASE}/alerts", {}, content_type="application/json").status_code == 405
    assert client.delete(f"{BASE}/alerts/x").status_code == 405


def test_a_preview_says_what_would_fire_and_draws_the_threshold(
    client: Client, org: Org, store: MemoryStore
) -> None:
    now = utc_now()
    for ago in (120, 60, 1):
        put(store, org, now - seconds(ago), 90 + ago / 10, instance="a")
        put(store, org, now - seconds(ago), 10, instance="b")
    url = f"{BASE}/rulegroups/evaluate-preview"
    body = {"expr": "up > 9 * 10", "labels": {"n": "{{ $labels.instance }}"}, "shown": "10m"}
    answer = client.post(url, body, content_type="application/json").json()
    (alert,) = answer["alerts"]
    assert alert["labels"] == {"alertname": "Preview", "instance": "a", "n": "a"}
    assert (answer["operator"], answer["threshold"]) == (">", 90.0)
    assert len(answer["series"]) == 2
    assert Alert.objects.for_org(org).count() == 0
    wrong = client.post(url, {"expr": "up >"}, content_type="application/json")
    assert wrong.status_code == 422
    assert "expr" in wrong.json()["errors"] or "expr" in str(wrong.json())


def test_an_org_starts_with_the_built_in_group(client: Client, org: Org) -> None:
    group = client.get(f"{BASE}/rulegroups/builtin").json()
    assert group["status"]["builtin"] is True
    assert [rule["name"] for rule in group["status"]["rules"]] == [
        "MonitorDown",
        "HeartbeatMissed",
        "CertificateExpiring",
    ]
    again = put_group(client, "builtin", **group["spec"])
    assert again.status_code == 200, again.content
    assert again.json()["metadata"]["resource_version"] == 1


def test_the_built_in_group_can_be_changed_and_restored(client: Client) -> None:
    changed = put_group(client, "builtin", enabled=False, rules=[])
    assert changed.json()["spec"]["enabled"] is False
    restored = client.post(f"{BASE}/rulegroups/restore-builtin")
    assert restored.status_code == 200, restored.content
    spec = client.get(f"{BASE}/rulegroups/builtin").json()["spec"]
    assert spec["rules"] == list(BUILTIN_RULES)
    assert spec["enabled"] is True


def test_a_prometheus_rule_file_is_applied(client: Client) -> None:
    body = """
groups:
  - name: Node Exporter
    interval: 30s
    rules:
      - alert: Down
        expr: up == 0
        labels: {tier: 1, page: yes}
"""
    answer = client.post("/apis/orgs/acme/apply", body, content_type="application/yaml")
    assert answer.status_code == 200, answer.content
    spec = client.get(f"{BASE}/rulegroups/node-exporter").json()["spec"]
    assert (spec["title"], spec["interval"]) == ("Node Exporter", "30s")
    assert spec["rules"][0]["labels"] in (
        {"tier": "1", "page": "true"},
        {"tier": "1", "page": "yes"},
    )


def test_deleting_a_group_ends_its_alerts(client: Client, org: Org, store: MemoryStore) -> None:
    put_group(client, interval="5s", rules=[{**RULE, "for": "0s"}])
    now = utc_now()
    put(store, org, now, 0, __name__="probe_success", monitor="home")
    groups_evaluate_due(owner="test", clock=lambda: now + seconds(6))
    assert client.delete(f"{BASE}/rulegroups/web").status_code == 204
    assert client.get(f"{BASE}/alerts").json()["items"] == []


def test_the_backends_engine_is_refused_where_there_is_none(client: Client) -> None:
    assert put_group(client, "own", evaluation="engine", rules=[]).status_code == 201
    answer = put_group(client, "theirs", evaluation="backend", rules=[])
    assert answer.status_code == 422
    assert "no engine" in answer.content.decode()


def test_policies_are_written_and_read_back_as_written(client: Client) -> None:
    rule = {
        **RULE,
        "recovery_expr": "probe_success == 1",
        "missing_series_evaluations": 3,
        "limit": 20,
        "low_flap_threshold": 20,
        "high_flap_threshold": 50,
        "hold_while_flapping": True,
        "depends_on": ["Other", {"group": "network", "matchers": ['a="b"'], "equal": ["site"]}],
    }
    assert put_group(client, rules=[rule]).status_code == 201
    assert client.get(f"{BASE}/rulegroups/web").json()["spec"]["rules"] == [rule]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"depends_on": ["HomeDown"]}, "spec.rules[0].depends_on"),
        ({"depends_on": [{"matchers": ["="]}]}, "spec.rules[0].depends_on[0]"),
        ({"recovery_expr": "up <"}, "spec.rules[0].recovery_expr"),
        ({"low_flap_threshold": 101}, "spec.rules[0].low_flap_threshold"),
    ],
)
def test_wrong_policies_are_refused_at_their_field(
    client: Client, change: dict[str, Any], field: str
) -> None:
    answer = put_group(client, rules=[{**RULE, **change}])
    assert answer.status_code == 422, answer.content
    assert field in answer.content.decode()


def test_a_group_is_written_by_few_statements_and_what_stays_the_same_by_none(
    org: Org, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    rules = [{"alert": f"Down{number}", "expr": "up == 0"} for number in range(40)]
    with django_assert_max_num_queries(20):
        group = make_rulegroup(org, rules=rules)
    uids = list(group.rules.values_list("uid", flat=True))
    moved = [*rules[1:], {**rules[0], "expr": "up < 1"}]
    with CaptureQueriesContext(connection) as asked:
        change_rulegroup(group, now=START, rules=[*rules[:-1], {**rules[-1], "expr": "up < 1"}])
    written = [each for each in asked.captured_queries if 'UPDATE "alerting_rule"' in each["sql"]]
    assert len(written) == 1
    change_rulegroup(group, now=START, rules=moved)
    rows = group.rules.order_by("position")
    assert list(rows.values_list("uid", flat=True)) == [*uids[1:], uids[0]]
    assert [row.name for row in rows if row.expr == "up < 1"] == ["Down0"]
