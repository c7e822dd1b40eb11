"""Rules over a query engine: what is empty, what is missing, what templates may do."""

from dataclasses import replace

import pytest

from apps.alerting.enums import ErrorPolicy, NoDataPolicy, RuleKind
from apps.alerting.services.evaluation import Surroundings, group_run, rule_outcome
from apps.alerting.services.plans import GroupPlan, RulePlan
from apps.alerting.services.queries import data_sources, rule_querier
from apps.alerting.services.state_values import Answer, Failure, NoData, Outcome
from apps.alerting.services.templates import TemplateScope, template_check
from detectviz.promql.memory_store import MemoryStore
from detectviz.promql.parser import parse
from detectviz.promql.results import Result, Scalar
from detectviz.tsdb.interface import Sample, StoreError

AT_MS = 600_000


def around(*series: tuple[dict[str, str], float]) -> Surroundings:
    store = MemoryStore()
    store.append("t", [Sample({"__name__": "up", **labels}, AT_MS, v) for labels, v in series])
    return Surroundings(
        querier=rule_querier(store, "t"),
        external_url="https://watch.example.org/",
        external_labels={"region": "eu"},
    )


def outcome(rule: RulePlan, place: Surroundings) -> Outcome:
    group = GroupPlan(name="g", interval_ms=15_000, rules=(rule,))
    return rule_outcome(group, rule, place, at_ms=AT_MS)


def plan(expr: str, **fields: object) -> RulePlan:
    return RulePlan(key="1", kind=RuleKind.ALERTING, name="Down", expr=expr, **fields)  # type: ignore[arg-type]  # a test's shorthand


@pytest.mark.parametrize(
    ("expr", "is_no_data"),
    [
        ("up == 0", False),
        ("gone == 0", True),
        ("gone", True),
        ("up == 0 and gone", False),
        ("gone and up", True),
        ("up unless up", False),
        ("gone or up > 5", False),
        ("gone > 1 or gone < 1", True),
        ("absent(up)", False),
        ("rate(gone[5m]) > 1", True),
        ("(up) > (5)", False),
        ("sum(gone) > 1", True),
        ("vector(0) > 1", False),
    ],
)
def test_no_data_means_that_nothing_is_read_not_that_all_is_well(
    expr: str, *, is_no_data: bool
) -> None:
    place = around(({"i": "a"}, 1.0))
    found = outcome(plan(expr, no_data=NoDataPolicy.ALERTING), place)
    assert isinstance(found, NoData) is is_no_data
    assert isinstance(outcome(plan(expr), place), Answer)


def test_both_sides_of_a_comparison_are_read() -> None:
    assert len(data_sources(parse("a > b"))) == 2
    assert len(data_sources(parse("a > bool b"))) == 1


def test_labels_follow_prometheus_rules() -> None:
    labels = {
        "instance": "",
        "severity": "{{ if gt $value 0.0 }}page{{ end }}",
        "was": "{{ $labels.__name__ }} {{ .Labels.i }} {{ $externalLabels.region }}",
        "alertname": "ignored",
    }
    place = around(({"i": "a", "instance": "x"}, 1.0))
    found = outcome(plan("up", labels=labels), place)
    assert isinstance(found, Answer)
    assert found.elements[0].labels == {
        "alertname": "Down",
        "i": "a",
        "severity": "page",
        "was": "up a eu",
    }


def test_a_template_that_fails_says_so_in_its_place() -> None:
    annotations = {
        "a": "{{ query `up{` }}",
        "b": "{{ index .Labels 3 }}",
        "c": "{{ externalURL }} {{ pathPrefix }}",
        "d": "{{ range query `sort(up)` }}{{ .Labels.i }}={{ .Value }} {{ end }}",
    }
    place = around(({"i": "a"}, 1.0), ({"i": "b"}, 2.0))
    found = outcome(plan("count(up)", annotations=annotations), place)
    assert isinstance(found, Answer)
    shown = found.elements[0].annotations
    assert shown["a"].startswith("<error expanding template: 1:4: error calling query")
    assert shown["b"].startswith("<error expanding template: ")
    assert shown["c"] == "https://watch.example.org/ "
    assert shown["d"] == "a=1 b=2 "


def test_templates_may_not_ask_without_end() -> None:
    asked: list[str] = []

    def answer(text: str) -> list[tuple[dict[str, str], float]]:
        asked.append(text)
        return []

    scope = TemplateScope(query=answer)
    shown = scope.expanded("{{ range 500 }}{{ query `up` }}{{ end }}", {}, 1.0)
    assert "more than 100 queries" in shown
    assert len(asked) == 100


def test_a_template_is_checked_before_it_is_kept() -> None:
    assert template_check("{{ $labels.a | humanize }}") is None
    assert template_check("{{ $nope }}") == '1:4: undefined variable "$nope"'


def test_a_scalar_is_one_element_without_labels() -> None:
    found = outcome(plan("1"), around())
    assert isinstance(found, Answer)
    assert [dict(one.labels) for one in found.elements] == [{"alertname": "Down"}]


def test_a_store_that_fails_is_the_rules_failure() -> None:
    place = around()

    def failing(*arguments: object) -> None:
        raise StoreError("disk full")

    place.querier.store.select = failing  # type: ignore[method-assign,assignment]  # a broken disk
    found = outcome(plan("up", labels={"team": "web"}), place)
    assert isinstance(found, Failure)
    assert found.message == "disk full"
    assert found.element.labels == {"alertname": "Down", "team": "web"}


def test_the_error_policy_raises_an_alert_with_the_rules_labels() -> None:
    rule = plan(
        "up + on (i) up", on_error=ErrorPolicy.ERROR, labels={"team": "web", "x": "{{ $value }}"}
    )
    place = around(({"i": "a", "n": "1"}, 1.0), ({"i": "a", "n": "2"}, 1.0))
    group = GroupPlan(name="g", interval_ms=15_000, rules=(rule,))
    (batch,) = group_run(group, place, at_ms=AT_MS)
    (run,) = batch.runs
    (instance,) = run.step.instances
    assert instance.labels == {
        "alertname": "DatasourceError",
        "rulename": "Down",
        "team": "web",
        "x": "NaN",
        "detectviz_reason": "Error",
    }
    assert run.error


def test_a_group_may_leave_its_expressions_to_the_backend(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[object] = []

    def pushed(store: object, tenant: str, query: object, at_ms: int, **options: object) -> Result:
        asked.append((tenant, query, at_ms))
        return Result(value=Scalar(timestamp_ms=at_ms, value=1.0))

    monkeypatch.setattr("apps.alerting.services.queries.push_down_instant", pushed)
    here = around()
    place = replace(here, querier=replace(here.querier, is_pushed_down=True))
    found = outcome(plan("up == 0"), place)
    assert isinstance(found, Answer)
    assert len(found.elements) == 1
    assert asked == [("t", "up == 0", AT_MS)]
