"""The rules of Grafana's alerting files: policies, expressions, what is lost, and PromQL."""

from typing import Any

import pytest

from apps.alerting.models import RuleGroup
from apps.alerting.services.grafana.export import groups_export
from apps.alerting.services.grafana.rules import RuleImport
from apps.orgs.models import Org
from detectviz.resources.losses import Losses
from detectviz.resources.manifests import manifests_apply
from tests.factories.accounts import make_full_org

QUERY = {
    "refId": "A",
    "relativeTimeRange": {"from": 300, "to": 0},
    "datasourceUid": "prom",
    "model": {"expr": "up", "instant": True, "refId": "A", "hide": False},
}
MATH = {"refId": "B", "datasourceUid": "__expr__", "model": {"type": "math", "expression": "$A"}}


def rule(**fields: Any) -> dict[str, Any]:
    return {"uid": "u", "title": "R", "condition": "B", "data": [QUERY, MATH], **fields}


def read(*rules: Any, org: Org | None = None, **group: Any) -> tuple[RuleImport, list[Any]]:
    run = RuleImport(org=org, losses=Losses())
    document = {"groups": [{"name": "G", "folder": "F", "rules": list(rules), **group}]}
    return run, [manifest for _, manifest in run.manifests(document)]


def one(given: dict[str, Any]) -> dict[str, Any]:
    run, (_, group) = read(given)
    assert run.losses.found == []
    [made] = group["spec"]["rules"]
    return dict(made)


def lost(given: dict[str, Any]) -> dict[str, str]:
    run, _ = read(given)
    return {loss.path.removeprefix("groups[0].rules[0]."): loss.why for loss in run.losses.found}


def test_groups_lie_in_folders_and_their_alerts_say_so_as_in_grafana() -> None:
    _, (folder, group) = read(rule(), interval=90)
    assert folder == {
        "apiVersion": "core/v1",
        "kind": "Folder",
        "metadata": {"name": "f"},
        "spec": {"title": "F"},
    }
    assert group["metadata"] == {"name": "g", "folder": "f"}
    assert group["spec"]["interval"] == "1m30s"
    assert group["spec"]["labels"] == {"grafana_folder": "F"}


def test_what_grafana_means_by_fields_left_out_is_written_down() -> None:
    assert one(rule()) == {
        "alert": "R",
        "no_data": "no_data",
        "on_error": "alerting",
        "condition": "B",
        "queries": [
            {
                "ref_id": "A",
                "datasource": "prom",
                "relative_from": "5m",
                "model": {"expr": "up", "instant": True},
            },
            {
                "ref_id": "B",
                "datasource": "__expr__",
                "model": {"type": "math", "expression": "$A"},
            },
        ],
    }


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"for": "5m", "keep_firing_for": "1m"}, {"for": "5m", "keep_firing_for": "1m"}),
        ({"for": 0, "keepFiringFor": "1m"}, {"for": "0s", "keep_firing_for": "1m"}),
        (
            {"noDataState": "KeepLast", "execErrState": "KeepLast"},
            {"no_data": "keep_last", "on_error": "keep_last"},
        ),
        ({"noDataState": "OK", "execErrState": "Error"}, {"no_data": "ok", "on_error": "error"}),
        ({"missingSeriesEvalsToResolve": 3}, {"missing_series_evaluations": 3}),
        ({"isPaused": True}, {"enabled": False}),
        (
            {"dasboardUid": "d", "panelId": 3},
            {"annotations": {"__dashboardUid__": "d", "__panelId__": "3"}},
        ),
        ({"labels": {"a": 1, "b": True}}, {"labels": {"a": "1", "b": "true"}}),
    ],
)
def test_fields_become_ours(given: dict[str, Any], expected: dict[str, Any]) -> None:
    found = one(rule(**given))
    assert {name: found[name] for name in expected} == expected


def test_the_threshold_for_the_way_back_is_kept_without_what_editors_leave_there() -> None:
    way_back = {"type": "lt", "params": [2]}
    condition = {
        "evaluator": {"type": "gt", "params": [5]},
        "unloadEvaluator": way_back,
        "loadedDimensions": {"schema": {}},
        "query": {"params": []},
        "type": "query",
    }
    threshold = {"type": "threshold", "expression": "A", "conditions": [condition]}
    made = one(rule(data=[QUERY, {"refId": "B", "datasourceUid": "-100", "model": threshold}]))
    assert made["queries"][1]["model"]["conditions"] == [
        {"evaluator": {"type": "gt", "params": [5]}, "unloadEvaluator": way_back}
    ]


@pytest.mark.parametrize(
    ("given", "path", "why"),
    [
        ({"provenance": "file"}, "provenance", "unknown field"),
        ({"noDataState": "Maybe"}, "noDataState", "becomes NoData"),
        ({"annotations": {"a": "{{ nobody }}"}}, "annotations.a", "nobody"),
        ({"annotations": {"Run book": "x"}}, "annotations.Run book", "becomes Run_book"),
        ({"condition": "X"}, "condition", "left out: Must name one of the queries"),
        ({"data": [QUERY, QUERY]}, "data[1].refId", "left out"),
        ({"data": [{**QUERY, "model": 1}]}, "data[0].model", "left out: Must be an object"),
        ({"data": [QUERY, {**MATH, "model": {"type": "sql"}}]}, "data[1].model", "type must be"),
        ({"data": [{**QUERY, "relativeTimeRange": {"from": 0, "to": 0}}, MATH]},
         "data[0].relativeTimeRange", "a range needs a length"),
        ({"data": [{**QUERY, "x": 1}, MATH]}, "data[0].x", "unknown field of a query"),
        ({"title": ""}, "title", "left out"),
        ({"for": "soon"}, "for", "left out"),
        ({"record": {"metric": "a b", "from": "B"}, "title": "a b"}, "record.metric", "left out"),
        ({"record": {"metric": "a", "from": "B"}}, "title", "called by its metric"),
        ({"record": {"metric": "R", "from": "B", "target_datasource_uid": "x"}},
         "record.target_datasource_uid", "own series"),
    ],
)  # fmt: skip
def test_what_is_lost_is_named(given: dict[str, Any], path: str, why: str) -> None:
    found = lost(rule(**given))
    assert why in found[path]


def test_a_rule_with_its_own_contact_point_gets_a_label_for_a_route() -> None:
    ops = {"receiver": "Ops"}
    run, (_, group) = read(
        rule(notification_settings=ops),
        rule(notification_settings=dict(ops)),
        rule(notification_settings={**ops, "group_wait": "1m"}, labels={"contact_point": "x"}),
    )
    labels = [made["labels"]["contact_point"] for made in group["spec"]["rules"]]
    assert labels == ["Ops", "Ops", "Ops 2"]
    assert [(route.label, route.path) for route in run.routes] == [
        ("Ops", "groups[0].rules[0].notification_settings"),
        ("Ops 2", "groups[0].rules[2].notification_settings"),
    ]
    assert [loss.path for loss in run.losses.found] == ["groups[0].rules[2].labels.contact_point"]


@pytest.mark.django_db
def test_rules_in_promql_become_queries_and_are_known_again() -> None:
    org = make_full_org()
    rules = [
        {
            "alert": "Many",
            "expr": "errors > 3",
            "for": "5m",
            "annotations": {"summary": "{{ $value }} on {{ $labels.host }}"},
        },
        {"record": "job:errors:sum", "expr": "sum by (job) (errors)", "labels": {"a": "b"}},
        {"alert": "Flaps", "expr": "up == 0", "recovery_expr": "up == 1", "limit": 3},
    ]
    manifest = {
        "apiVersion": "alerting/v1",
        "kind": "RuleGroup",
        "metadata": {"name": "own"},
        "spec": {"interval": "30s", "query_offset": "10s", "limit": 9, "rules": rules},
    }
    manifests_apply(org=org, actor=None, access=None, documents=[manifest])
    RuleGroup.objects.for_org(org).exclude(name="own").update(owner="SLO x")
    losses = Losses()
    [group] = groups_export(org=org, losses=losses)
    assert [loss.path for loss in losses.found] == [
        "groups.builtin",
        "groups.own.limit",
        "groups.own.query_offset",
        "groups.own.rules[2].recovery_expr",
        "groups.own.rules[2].limit",
        "groups",
    ]
    asked, condition = group["rules"][0]["data"]
    assert (asked["datasourceUid"], asked["model"]["expr"]) == ("detectviz", "errors > 3")
    assert "is_number($query)" in condition["model"]["expression"]
    assert group["rules"][0]["annotations"]["summary"].startswith("{{- $value := ")
    run = RuleImport(org=org, losses=Losses())
    [(_, again)] = run.manifests({"groups": [group]})
    assert run.losses.found == []
    assert again["spec"]["rules"] == [*rules[:2], {"alert": "Flaps", "expr": "up == 0"}]
