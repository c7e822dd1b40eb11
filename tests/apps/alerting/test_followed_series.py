"""Rules that follow their series, evaluated over a store."""

from typing import Any

import pytest

from apps.alerting.services.evaluation import Surroundings, group_run
from apps.alerting.services.plans import GroupPlan, plans_after
from apps.alerting.services.queries import rule_querier
from apps.alerting.services.rule_specs import rule_plan, rule_problems
from apps.alerting.services.state_values import Instance, Step
from detectviz.promql.memory_store import MemoryStore
from detectviz.tsdb.interface import STALE_NAN, Sample

MINUTE = 60_000


class Play:
    """Some rules over series that change every minute."""

    def __init__(self, *rules: dict[str, Any]) -> None:
        for rule in rules:
            assert rule_problems(rule) == {}
        self.store = MemoryStore()
        self.at_ms = 0
        plans = [rule_plan(rule, key=str(place)) for place, rule in enumerate(rules)]
        self.group = GroupPlan(name="g", interval_ms=MINUTE, rules=tuple(plans))
        self.steps: dict[str, Step] = {}

    def minute(self, **hosts: float) -> None:
        """Store a value of each host and evaluate."""
        self.at_ms += MINUTE
        samples = [
            Sample({"__name__": "t", "host": host, "site": "x"}, self.at_ms, value)
            for host, value in hosts.items()
        ]
        self.store.append("o", samples)
        around = Surroundings(querier=rule_querier(self.store, "o"))
        batches = group_run(self.group, around, at_ms=self.at_ms)
        runs = [run for batch in batches for run in batch.runs]
        self.steps = {run.rule.name: run.step for run in runs}
        self.group = plans_after(self.group, runs, at_ms=self.at_ms)

    def alerts(self, place: int = 0) -> dict[str, str]:
        found: tuple[Instance, ...] = self.group.rules[place].instances
        return {one.labels.get("host", ""): one.state.value for one in found}


HOT = {"alert": "Hot", "expr": "t > 80", "recovery_expr": "t < 60"}


def test_each_host_recovers_by_itself() -> None:
    play = Play(HOT)
    play.minute(a=90, b=90, c=10)
    play.minute(a=70, b=50, c=10)
    assert play.alerts() == {"a": "recovering", "b": "resolved"}
    play.minute(a=70, b=70, c=10)
    play.minute(a=59, b=70, c=10)
    assert play.alerts()["a"] == "resolved"


def test_templated_labels_do_not_hide_a_recovery() -> None:
    play = Play({**HOT, "labels": {"at": "{{ $value }}"}})
    play.minute(a=90)
    play.minute(a=55)
    assert play.alerts() == {"a": "resolved"}


def test_an_aggregation_recovers_all_whose_labels_contain_its_own() -> None:
    play = Play({**HOT, "recovery_expr": "avg by (site) (t) < 60"})
    play.minute(a=90, b=90)
    play.minute(a=70, b=70)
    assert play.alerts() == {"a": "recovering", "b": "recovering"}
    play.minute(a=70, b=20)
    assert play.alerts() == {"a": "resolved", "b": "resolved"}


def test_the_recovery_of_another_site_is_none() -> None:
    play = Play({**HOT, "recovery_expr": 'label_replace(t, "site", "y", "", "") < 60'})
    play.minute(a=90)
    play.minute(a=10)
    assert play.alerts() == {"a": "recovering"}


def test_a_recovery_expression_that_fails_is_an_error_of_the_rule() -> None:
    rule = {**HOT, "recovery_expr": "t * on (site) t", "on_error": "error"}
    play = Play(rule)
    play.minute(a=90, b=10)
    play.minute(a=70, b=10)
    assert play.steps["Hot"].error
    assert play.alerts() == {"a": "firing", "": "firing"}


def test_a_host_that_is_gone_is_told_from_one_that_is_well() -> None:
    play = Play({"alert": "Hot", "expr": "t > 80", "missing_series_evaluations": 2})
    play.minute(a=90, b=90)
    play.minute(a=STALE_NAN, b=10)
    assert play.alerts() == {"a": "firing", "b": "resolved"}
    play.minute(b=10)
    assert play.alerts()["a"] == "resolved"
    (change,) = play.steps["Hot"].transitions
    assert change.reason == "MissingSeries"


def test_rules_with_and_without_recovery_are_asked_together() -> None:
    rules = [{**HOT, "alert": f"Hot{n}", "expr": f"t > {80 + n}"} for n in range(3)]
    play = Play(*rules, {"alert": "Plain", "expr": "t > 80"})
    play.minute(a=90)
    play.minute(a=70)
    assert [play.alerts(place)["a"] for place in range(4)] == ["recovering"] * 3 + ["resolved"]


def test_a_rule_may_recover_by_what_the_rule_before_it_recorded() -> None:
    play = Play({"record": "calm", "expr": "t < 60"}, {**HOT, "recovery_expr": "calm"})
    play.minute(a=90)
    play.minute(a=50)
    assert play.alerts(1) == {"a": "resolved"}


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        ({"recovery_expr": "t <"}, "recovery_expr"),
        ({"recovery_expr": "t[5m]"}, "recovery_expr"),
        ({"recovery_condition": "B"}, "recovery_condition"),
        ({"missing_series_evaluations": 0}, "missing_series_evaluations"),
        ({"limit": -1}, "limit"),
        ({"low_flap_threshold": 5}, "high_flap_threshold"),
        ({"low_flap_threshold": 50, "high_flap_threshold": 20}, "low_flap_threshold"),
        ({"hold_while_flapping": True}, "hold_while_flapping"),
        ({"depends_on": "Other"}, "depends_on"),
        ({"depends_on": [""]}, "depends_on[0]"),
        ({"depends_on": [{"equal": ["site"]}]}, "depends_on[0]"),
        ({"depends_on": ["A", {"rules": "B"}]}, "depends_on[1]"),
        ({"depends_on": [{"matchers": ["site"]}]}, "depends_on[0]"),
    ],
)
def test_what_is_wrong_is_told_at_its_field(rule: dict[str, Any], field: str) -> None:
    assert list(rule_problems({"alert": "Hot", "expr": "t > 80", **rule})) == [field]


def test_a_recording_rule_has_no_policies() -> None:
    problems = rule_problems({"record": "x", "expr": "t", "recovery_expr": "t", "limit": 5})
    assert sorted(problems) == ["limit", "recovery_expr"]
