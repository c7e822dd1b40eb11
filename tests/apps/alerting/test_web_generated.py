"""SLOs and anomaly rules on pages: forms with previews, details, a look at the past."""

from datetime import timedelta

import numpy as np
import pytest

from apps.alerting.models import AnomalyRule, Slo
from apps.alerting.services.anomaly_backtests import anomaly_backtest
from apps.alerting.services.anomaly_rules import anomaly_rules, anomaly_terms
from apps.alerting.services.queries import rule_querier
from apps.orgs.models import Org
from detectviz.clock import to_ms, utc_now
from detectviz.promql.memory_store import MemoryStore
from detectviz.tsdb.interface import Sample
from tests.factories.accounts import make_full_org
from tests.factories.pages import make_browser

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]
SLOS, ANOMALIES = "/o/acme/slos", "/o/acme/anomalies"
SLO_FORM = {
    "view": "form",
    "name": "checkout",
    "title": "Checkout",
    "objective": "99.5",
    "window": "28d",
    "sli/source": "queries",
    "sli/good": "sum(up_total[$window])",
    "sli/total": "2 * sum(count_over_time(up_total[$window]))",
    "~alerting/page/enabled": "",
    "alerting/page/enabled": "true",
    "~alerting/page/burn_rates": "",
    "~alerting/page/labels": "",
    "~alerting/ticket/enabled": "",
    "~enabled": "",
    "enabled": "true",
}
SPEC = {
    "expr": "orders",
    "by": ["shop"],
    "weeks": 3,
    "deviations": 6,
    "least_percent": 10,
    "direction": "both",
    "for": "10m",
    "labels": {},
    "annotations": {},
}


@pytest.fixture
def acme() -> Org:
    return make_full_org("acme")


def test_an_objective_is_made_in_a_form_shown_and_deleted(acme: Org, store: MemoryStore) -> None:
    now = to_ms(utc_now())
    store.append(acme.uid, [Sample({"__name__": "up_total"}, now - 60_000, 1.5)])
    browser = make_browser(acme, "admin")
    good = {**SLO_FORM, "sli/good": "sum(sum_over_time(up_total[$window]))"}
    tried = browser.post(f"{SLOS}/preview", good).content.decode()
    assert "50.00" in tried
    assert "of 28d may fail" in tried
    wrong = browser.post(f"{SLOS}/preview", {**good, "sli/good": "sum("}).content.decode()
    assert "Write $window" in wrong
    assert browser.post(f"{SLOS}/new", good).status_code == 302
    slo = Slo.objects.for_org(acme).get()
    assert slo.spec["sli"] == {"good": good["sli/good"], "total": SLO_FORM["sli/total"]}
    assert slo.spec["alerting"] == {"page": {"enabled": True}, "ticket": {"enabled": False}}
    names = {"__name__": "slo:sli_error:ratio_rate1h", "slo": "checkout"}
    store.append(acme.uid, [Sample(names, now, 0.25)])
    shown = browser.get(f"{SLOS}/s/checkout").content.decode()
    assert "50.00" in shown  # a quarter failed of half a percent
    assert "ErrorBudgetBurnsFast" in shown
    assert 'value="queries" selected' in browser.get(f"{SLOS}/s/checkout/edit").content.decode()
    assert f'href="{SLOS}/s/checkout"' in browser.get(SLOS).content.decode()
    browser.post(f"{SLOS}/s/checkout/delete")
    assert not Slo.objects.for_org(acme).exists()


def test_an_anomaly_rule_is_made_in_a_form_and_says_why_it_judges_so(
    acme: Org, store: MemoryStore
) -> None:
    browser = make_browser(acme, "admin")
    form = {"view": "form", "name": "orders", "expr": "orders", "by": "shop", "weeks": "3"}
    now = to_ms(utc_now())
    store.append(acme.uid, [Sample({"__name__": "orders", "shop": "a"}, now, 300)])
    assert "shop=a" in browser.post(f"{ANOMALIES}/preview", form).content.decode()
    assert "Too little history" in browser.post(f"{ANOMALIES}/backtest", form).content.decode()
    broken = browser.post(f"{ANOMALIES}/backtest", {**form, "expr": "orders("})
    assert "Expression:" in broken.content.decode()
    assert browser.post(f"{ANOMALIES}/new", form).status_code == 302
    assert AnomalyRule.objects.for_org(acme).get().spec["by"] == ["shop"]
    own = {"anomaly": "orders", "shop": "a"}
    recorded = {"value": 812, "low": 270, "high": 330, "median": 300}
    samples = [
        Sample({"__name__": f"anomaly:{word}", **own}, now, value)
        for word, value in recorded.items()
    ]
    store.append(acme.uid, samples)
    shown = browser.get(f"{ANOMALIES}/a/orders").content.decode()
    assert "usual is 270 to 330 around 300 at this hour" in shown
    assert "orders" in browser.get(ANOMALIES).content.decode()
    browser.post(f"{ANOMALIES}/a/orders/delete")
    assert not AnomalyRule.objects.for_org(acme).exists()


def test_the_past_is_judged_by_the_band_the_rules_would_have_recorded(
    acme: Org, store: MemoryStore
) -> None:
    now = utc_now()
    end_ms = to_ms(now) // 300_000 * 300_000
    steps = 5 * 7 * 288
    values = 300 + 8 * np.sin(np.arange(steps) / 7) + np.arange(steps) % 11
    values[-600:-576] = 900  # two hours, two days ago
    labels = {"__name__": "orders", "shop": "a"}
    store.append(
        acme.uid,
        [
            Sample(labels, end_ms - (steps - 1 - step) * 300_000, float(value))
            for step, value in enumerate(values)
        ],
    )
    terms = anomaly_terms(name="orders", title="", spec=SPEC)
    found = anomaly_backtest(org=acme, terms=terms, now=now, span=timedelta(days=7))
    assert (found.series, found.judged, found.total) == (1, 1, 1)
    (one,) = found.firings
    assert one.firing.labels == {"shop": "a"}
    assert one.firing.fired_at - one.firing.active_at == timedelta(minutes=10)
    assert one.firing.resolved_at is not None
    assert one.firing.resolved_at - one.firing.active_at == timedelta(hours=2)
    querier = rule_querier(store, acme.uid)
    samples = [
        value
        for rule in anomaly_rules(terms)
        if rule.get("record") == "anomaly:sample"
        for _, value in querier.vector(rule["expr"], to_ms(one.firing.fired_at))
    ]
    median = float(np.median(samples))
    mad = float(np.median(np.abs(np.array(samples) - median)))
    half = max(6 * mad, 0.1 * median)
    assert len(samples) == 9
    assert (one.low, one.high) == pytest.approx((median - half, median + half))
    calm = {**SPEC, "direction": "below"}
    below = anomaly_terms(name="orders", title="", spec=calm)
    assert anomaly_backtest(org=acme, terms=below, now=now, span=timedelta(days=7)).total == 0
