"""Prometheus rule files to manifests and back."""

from io import StringIO
from typing import Any

import pytest
import yaml
from django.core.management import call_command

from apps.alerting.services.rule_files import (
    manifests_to_rule_file,
    rule_file_losses,
    rule_file_to_manifests,
)
from detectviz.resources.errors import InvalidFieldsError
from tests.factories.alerting import make_rulegroup
from tests.factories.orgs import make_org

FILE: dict[str, Any] = {
    "groups": [
        {
            "name": "Node Exporter",
            "interval": "30s",
            "limit": 10,
            "rules": [
                {"alert": "Down", "expr": "up == 0", "for": "5m", "labels": {"severity": "page"}},
                {"record": "job:up:sum", "expr": "sum by (job) (up)"},
            ],
        },
        {"name": "node_exporter", "rules": []},
    ]
}


def test_each_group_becomes_a_manifest_with_a_name_of_its_own() -> None:
    manifests = rule_file_to_manifests(FILE)
    assert manifests is not None
    assert [one["metadata"]["name"] for one in manifests] == ["node-exporter", "node-exporter-2"]
    assert manifests[0]["spec"]["title"] == "Node Exporter"
    assert manifests[0]["spec"]["rules"] == FILE["groups"][0]["rules"]


def test_manifests_become_the_same_file_again() -> None:
    manifests = rule_file_to_manifests(FILE)
    assert manifests is not None
    assert manifests_to_rule_file(manifests) == FILE


def test_what_prometheus_does_not_know_is_left_out_of_a_rule_file() -> None:
    rules = [
        {"alert": "A", "expr": "up", "no_data": "alerting", "on_error": "ok"},
        {"alert": "B", "expr": "up", "enabled": False},
    ]
    manifest = {"metadata": {"name": "a"}, "spec": {"interval": "1m", "rules": rules}}
    assert manifests_to_rule_file([manifest]) == {
        "groups": [{"name": "a", "interval": "1m", "rules": [{"alert": "A", "expr": "up"}]}]
    }


def test_what_a_rule_file_can_not_say_is_told_by_name() -> None:
    rules = [
        {"alert": "A", "expr": "up", "recovery_expr": "up", "depends_on": ["B"], "limit": 5},
        {"alert": "B", "expr": "up", "enabled": False},
        {"alert": "C", "queries": [{"ref_id": "A"}]},
        {"alert": "D", "expr": "up", "for": "5m"},
    ]
    manifest = {"metadata": {"name": "web"}, "spec": {"rules": rules}}
    assert rule_file_losses([manifest]) == [
        "web/A: depends_on is lost",
        "web/A: limit is lost",
        "web/A: recovery_expr is lost",
        "web/B: left out: it is switched off",
        "web/C: left out: it asks datasources",
    ]
    assert manifests_to_rule_file([manifest])["groups"][0]["rules"][0] == {
        "alert": "A",
        "expr": "up",
    }


def test_scalars_become_the_texts_they_stand_for() -> None:
    rule = {"alert": "A", "expr": 1, "labels": {"tier": 1, "page": True}, "annotations": None}
    manifests = rule_file_to_manifests({"groups": [{"name": "x", "rules": [rule]}]})
    assert manifests is not None
    assert manifests[0]["spec"]["rules"] == [
        {"alert": "A", "expr": "1", "labels": {"tier": "1", "page": "true"}}
    ]


@pytest.mark.parametrize("data", [{}, {"route": {}}, {"groups": [], "other": 1}])
def test_other_documents_are_left_to_others(data: dict[str, object]) -> None:
    assert rule_file_to_manifests(data) is None


@pytest.mark.parametrize(
    ("groups", "path"),
    [
        ("x", "groups"),
        ([1], "groups[0]"),
        ([{"rules": []}], "groups[0].name"),
        ([{"name": "x", "rules": 1}], "groups[0].rules"),
        ([{"name": "x", "typo": 1}], "groups[0].typo"),
    ],
)
def test_what_can_not_be_understood_is_named(groups: object, path: str) -> None:
    with pytest.raises(InvalidFieldsError) as caught:
        rule_file_to_manifests({"groups": groups})
    assert list(caught.value.fields) == [path]


@pytest.mark.django_db
def test_the_command_writes_a_rule_file_and_tells_what_is_lost() -> None:
    org = make_org("acme")
    make_rulegroup(org, rules=[{"alert": "A", "expr": "up == 0", "recovery_expr": "up == 1"}])
    out, errors = StringIO(), StringIO()
    call_command("rules", "export", "--org", "acme", stdout=out, stderr=errors)
    assert yaml.safe_load(out.getvalue()) == {
        "groups": [{"name": "web", "interval": "15s", "rules": [{"alert": "A", "expr": "up == 0"}]}]
    }
    assert "web/A: recovery_expr is lost" in errors.getvalue()
