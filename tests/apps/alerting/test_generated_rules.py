"""SLOs and anomaly rules generate rules that say what one works out by hand."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from django.test import Client

from apps.accounts.models import User
from apps.alerting.models import AnomalyRule, RuleGroup, Slo
from apps.alerting.services.anomaly_rules import AnomalyTerms, anomaly_rules
from apps.alerting.services.rule_specs import rules_problems
from apps.alerting.services.rule_tests import rule_tests_run
from apps.alerting.services.slo_rules import (
    PAGE,
    TICKET,
    BurnAlert,
    SloTerms,
    monitor_sli,
    slo_rules,
)
from apps.orgs.models import Org
from detectviz.clock import to_ms, utc_now
from detectviz.promql.memory_store import MemoryStore
from detectviz.tsdb.interface import Sample
from tests.factories.accounts import make_full_org

BASE = "/apis/alerting/v1/orgs/acme"


def slo(period: str = "30d", objective: float = 99.9, **more: Any) -> SloTerms:
    good = 'sum(rate(requests_total{code!~"5.."}[$window]))'
    given: dict[str, Any] = {
        "name": "checkout",
        "title": "Checkout",
        "objective_percent": objective,
        "period": period,
        "good": good,
        "total": "sum(rate(requests_total[$window]))",
        "page": BurnAlert(rates=PAGE, labels={"severity": "critical"}),
        "ticket": BurnAlert(rates=TICKET, labels={"severity": "warning"}),
    }
    return SloTerms(**given | more)


def expr_of(rules: list[dict[str, Any]], name: str) -> str:
    return next(str(r["expr"]) for r in rules if name in (r.get("alert"), r.get("record")))


def verdict(folder: Path, rules: list[dict[str, Any]], tests: list[dict[str, Any]]) -> list[str]:
    """Run the rules through the tester of promtool's files; return what failed."""
    group = {"name": "generated", "interval": "1m", "rules": rules}
    (folder / "rules.yml").write_text(yaml.safe_dump({"groups": [group]}))
    file = {"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": tests}
    (folder / "tests.yml").write_text(yaml.safe_dump(file))
    report = rule_tests_run(folder / "tests.yml")
    return [failure for case in report.cases for failure in case.failures]


def test_burn_rates_are_those_of_the_workbook() -> None:
    assert [rate.factor("30d") for rate in (*PAGE, *TICKET)] == [14.4, 6.0, 3.0, 1.0]
    assert [rate.factor("28d") for rate in (*PAGE, *TICKET)] == [13.44, 5.6, 2.8, 0.933333]


def test_the_alerts_ask_for_a_long_and_a_short_window() -> None:
    rules = slo_rules(slo())
    assert rules_problems(rules) == {}
    mine = '{slo="checkout"}'
    assert expr_of(rules, "ErrorBudgetBurnsFast") == (
        f"(slo:sli_error:ratio_rate1h{mine} > 0.0144 and slo:sli_error:ratio_rate5m{mine} > 0.0144)"
        f" or (slo:sli_error:ratio_rate6h{mine} > 0.006 and"
        f" slo:sli_error:ratio_rate30m{mine} > 0.006)"
    )
    assert "ratio_rate1d" in expr_of(rules, "ErrorBudgetBurnsSlowly")
    assert "> 0.003 " in expr_of(rules, "ErrorBudgetBurnsSlowly")


def test_an_alert_that_is_switched_off_is_not_generated() -> None:
    rules = slo_rules(slo(ticket=BurnAlert(rates=TICKET, is_enabled=False)))
    assert [rule["alert"] for rule in rules if "alert" in rule] == ["ErrorBudgetBurnsFast"]


def test_a_page_comes_at_the_minute_one_works_out(tmp_path: Path) -> None:
    # 60 requests a minute; from 2 h on 10 % fail: the hour's ratio passes 1.44 % when
    # 0.1 * minutes / 60 > 0.0144, after 9 minutes (8.64); the five minutes passed it before.
    ok = "0+60x120 " + "7254+54x60"
    failed = "0x120 6+6x60"
    labels = {"slo": "checkout", "slo_alert": "page", "severity": "critical"}
    annotations = {
        "summary": "Checkout burns its error budget fast",
        "description": "1.5% fail in the long window; the objective is 99.9 % over 30d.",
    }
    firing = {"exp_labels": labels, "exp_annotations": annotations}
    test = {
        "interval": "1m",
        "input_series": [
            {"series": 'requests_total{code="200"}', "values": ok},
            {"series": 'requests_total{code="500"}', "values": failed},
        ],
        "alert_rule_test": [
            {"eval_time": "128m", "alertname": "ErrorBudgetBurnsFast"},
            {"eval_time": "129m", "alertname": "ErrorBudgetBurnsFast", "exp_alerts": [firing]},
        ],
    }
    page = BurnAlert(rates=PAGE[:1], labels={"severity": "critical"})
    assert verdict(tmp_path, slo_rules(slo(page=page)), [test]) == []


def test_the_budget_of_a_monitor_is_what_its_probes_leave(tmp_path: Path) -> None:
    good, total = monitor_sli("home")
    rules = slo_rules(slo(objective=90, period="28d", good=good, total=total))
    # 200 minutes, 10 of them down: 5 % fail where 10 % may, so half of the budget is left
    series = 'probe_success{monitor="home"}'
    test = {
        "interval": "1m",
        "input_series": [{"series": series, "values": "1x99 0x9 1x300"}],
        "promql_expr_test": [
            {
                "expr": "round(slo:error_budget_left:ratio * 100)",
                "eval_time": "200m",
                "exp_samples": [{"labels": '{slo="checkout"}', "value": 50}],
            },
            {
                "expr": "slo:sli_error:ratio_rate1h",
                "eval_time": "110m",
                "exp_samples": [
                    {
                        "labels": 'slo:sli_error:ratio_rate1h{slo="checkout"}',
                        "value": 1 - 50 / 60,
                    }
                ],
            },
        ],
    }
    failures = verdict(tmp_path, rules, [test])
    assert failures == []


def anomaly(**more: Any) -> AnomalyTerms:
    given: dict[str, Any] = {
        "name": "orders",
        "title": "Orders",
        "expr": "sum by (shop) (orders)",
        "by": ["shop"],
        "weeks": 2,
        "deviations": 3.0,
        "least_percent": 10.0,
        "direction": "both",
        "for_": "5m",
        "labels": {"severity": "warning"},
    }
    return AnomalyTerms(**given | more)


def test_the_unusual_fires_and_explains_itself(tmp_path: Path) -> None:
    # Two weeks at 290 and 310: the median of the sample is 300, its MAD 10, the band 270 to 330.
    week = 7 * 24
    values = f"290x{week - 1} 310x{week - 1} 300 812 812 812"
    labels = {"shop": "a", "anomaly": "orders", "severity": "warning"}
    annotations = {
        "summary": "Orders is unusual",
        "description": "value 812, usual 270-330 at this hour over the last 2 weeks",
    }
    test = {
        "interval": "1h",
        "input_series": [{"series": 'orders{shop="a"}', "values": values}],
        "alert_rule_test": [
            {"eval_time": f"{2 * week}h", "alertname": "Anomaly"},
            {
                "eval_time": f"{2 * week + 2}h",
                "alertname": "Anomaly",
                "exp_alerts": [{"exp_labels": labels, "exp_annotations": annotations}],
            },
        ],
    }
    (tmp_path / "x").mkdir()
    group = {"name": "generated", "rules": anomaly_rules(anomaly())}
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [group]}))
    file = {"rule_files": ["rules.yml"], "evaluation_interval": "1h", "tests": [test]}
    (tmp_path / "tests.yml").write_text(yaml.safe_dump(file))
    (case,) = rule_tests_run(tmp_path / "tests.yml").cases
    assert case.failures == ()


def test_the_rules_of_an_anomaly_are_rules() -> None:
    assert rules_problems(anomaly_rules(anomaly(by=[], direction="above"))) == {}


@pytest.fixture
def client(db: None, store: MemoryStore) -> Client:
    make_full_org("acme")
    browser = Client()
    browser.force_login(
        User.objects.get(username="acme-admin"), "apps.accounts.services.signin.PersonBackend"
    )
    return browser


def put(client: Client, kind: str, plural: str, name: str, spec: dict[str, Any]) -> Any:
    body = {
        "apiVersion": "alerting/v1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": spec,
    }
    return client.put(f"{BASE}/{plural}/{name}", body, content_type="application/json")


def test_a_group_is_generated_changed_and_deleted_with_its_slo(
    client: Client, store: MemoryStore
) -> None:
    org = Org.objects.get(name="acme")
    spec = {"objective": 99.5, "sli": {"monitor": "home"}}
    answer = put(client, "SLO", "slos", "home", spec)
    assert answer.status_code == 201, answer.content
    assert answer.json()["status"]["error_budget_left"] is None
    group = RuleGroup.objects.for_org(org).get(name="slo-home")
    assert (group.owner, group.rules.count()) == ("SLO home", 15)
    changed = {**spec, "alerting": {"ticket": {"enabled": False}}, "enabled": False}
    assert put(client, "SLO", "slos", "home", changed).status_code == 200
    group.refresh_from_db()
    assert (group.is_enabled, group.rules.count(), group.resource_version) == (False, 14, 2)
    sample = Sample(
        {"__name__": "slo:error_budget_left:ratio", "slo": "home"}, to_ms(utc_now()), 0.4
    )
    store.append(org.uid, [sample])
    assert client.get(f"{BASE}/slos/home").json()["status"]["error_budget_left"] == 0.4
    assert "40" in client.get("/o/acme/slos").content.decode()
    assert client.delete(f"{BASE}/slos/home").status_code in {200, 204}
    assert not RuleGroup.objects.for_org(org).filter(name="slo-home").exists()
    assert not Slo.objects.for_org(org).exists()


def test_a_generated_group_is_not_written_by_hand(client: Client) -> None:
    spec = {"expr": "orders", "by": ["shop"]}
    assert put(client, "AnomalyRule", "anomalyrules", "orders", spec).status_code == 201
    org = Org.objects.get(name="acme")
    assert AnomalyRule.objects.for_org(org).get().group_name == "anomaly-orders"
    stored = client.get(f"{BASE}/rulegroups/anomaly-orders").json()["spec"]
    same = put(client, "RuleGroup", "rulegroups", "anomaly-orders", stored)
    assert same.status_code == 200, same.content  # an export applied again
    other = put(client, "RuleGroup", "rulegroups", "anomaly-orders", {**stored, "limit": 5})
    assert other.status_code == 409
    assert client.delete(f"{BASE}/rulegroups/anomaly-orders").status_code == 409


@pytest.mark.parametrize(
    "spec",
    [
        {"objective": 100, "sli": {"monitor": "home"}},
        {"objective": 99, "sli": {"good": "a[$window]"}},
        {"objective": 99, "sli": {"good": "sum(a)", "total": "sum(b)"}},
        {"objective": 99, "sli": {"good": "sum(a[$window]", "total": "rate(b[$window])"}},
        {"objective": 99, "sli": {"monitor": "home"}, "window": "7d"},
    ],
)
def test_what_is_no_objective_is_refused(client: Client, spec: dict[str, Any]) -> None:
    assert put(client, "SLO", "slos", "home", spec).status_code == 422
