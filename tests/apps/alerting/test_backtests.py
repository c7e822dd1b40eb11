"""A backtest says what the real evaluation would have done."""

import random
from typing import Any

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.accounts.models import User
from apps.alerting.services.backtests import Backtest, firings_by_labels, rule_backtest
from apps.alerting.services.evaluation import Surroundings, group_run
from apps.alerting.services.plans import GroupPlan, plans_after
from apps.alerting.services.queries import rule_querier
from apps.alerting.services.rule_specs import rule_plan
from apps.orgs.models import Org
from apps.series.services import series_store_use
from detectviz.clock import to_ms, utc_now
from detectviz.promql.memory_store import MemoryStore
from detectviz.resources.errors import InvalidFieldsError
from detectviz.tsdb.interface import STALE_NAN, Sample
from tests.factories.accounts import make_full_org
from tests.factories.alerting import START, put, seconds
from tests.factories.orgs import make_org

pytestmark = pytest.mark.django_db
INTERVAL_MS = 15_000
SLOTS = 60


def flapping(store: MemoryStore, org: Org, seed: int) -> None:
    """Two series that come, go, end and cross 5."""
    chance = random.Random(seed)
    for instance in "ab":
        at, value = START - seconds(60), 5.0
        while at < START + seconds(SLOTS * 15):
            at += seconds(chance.choice([5, 15, 15, 15, 400]))
            value = chance.choice([value, 1.0, 9.0, STALE_NAN])
            put(store, org, at, value, instance=instance)


def really(rule: dict[str, Any], store: MemoryStore, org: Org, offset_ms: int) -> list[Any]:
    """Evaluate the rule slot by slot; return what changed, when."""
    group = GroupPlan(
        name="g",
        interval_ms=INTERVAL_MS,
        query_offset_ms=offset_ms,
        rules=(rule_plan(rule, key="1"),),
    )
    around, changes = Surroundings(querier=rule_querier(store, org.uid)), []
    for slot in range(SLOTS):
        at_ms = to_ms(START) + slot * INTERVAL_MS
        runs = [run for batch in group_run(group, around, at_ms=at_ms) for run in batch.runs]
        changes += [change for run in runs for change in run.step.transitions]
        group = plans_after(group, runs, at_ms=at_ms)
    return list(map(shown, changes))


def shown(change: Any) -> Any:
    one = change.instance
    labels = tuple(sorted(one.labels.items()))
    return change.at_ms, labels, change.previous, change.state, str(change.reason), repr(one.value)


def backtested(rule: dict[str, Any], org: Org, **fields: Any) -> Backtest:
    end = START + seconds((SLOTS - 1) * 15)
    options: dict[str, Any] = {"start": START, "end": end, "interval_ms": INTERVAL_MS} | fields
    return rule_backtest(tenant=org, rule=rule, **options)


@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    seed=st.integers(0, 1000),
    expr=st.sampled_from(
        [
            "up > 5",
            "sum(up) > 5",
            "up > 5 and up @ end() > 0",
            "absent(up)",
            "up == 9 or up < 2",
            "up * on (job) up > 5",
        ]
    ),
    wait=st.sampled_from(["0s", "15s", "1m"]),
    keep=st.sampled_from(["0s", "30s", "2m"]),
    policy=st.tuples(
        st.sampled_from(["ok", "alerting", "no_data", "keep_last"]), st.sampled_from([0, 7_000])
    ),
    ending=st.sampled_from(
        [
            {},
            {"recovery_expr": "up < 3"},
            {"recovery_expr": "sum(up) < 6", "missing_series_evaluations": 3},
            {"missing_series_evaluations": 2},
            {"low_flap_threshold": 5, "high_flap_threshold": 15},
        ]
    ),
)
def test_it_makes_the_transitions_of_the_evaluation(
    *, seed: int, expr: str, wait: str, keep: str, policy: tuple[str, int], ending: dict[str, Any]
) -> None:
    no_data, offset_ms = policy
    org = Org.objects.filter(name="acme").first() or make_org("acme")
    store = MemoryStore()
    series_store_use(store)
    flapping(store, org, seed)
    rule = {
        "alert": "Up",
        "expr": expr,
        "for": wait,
        "keep_firing_for": keep,
        "no_data": no_data,
        "labels": {"was": "{{ $value }}" if wait == "1m" else "x"},
        **ending,
    }
    found = backtested(rule, org, query_offset_ms=offset_ms)
    series_store_use(None)
    wanted = really(rule, store, org, offset_ms)
    assert sorted(map(shown, found.transitions)) == sorted(wanted)


def test_firings_have_times_a_peak_and_sums(store: MemoryStore) -> None:
    org = make_org("acme")
    values = [0, 7, 8, 9, 0, 0, 7, 0, 6, 6, 6]
    for slot, value in enumerate(values):
        put(store, org, START + seconds(slot * 15), value, instance="a")
    rule = {"expr": "up > 5", "for": "15s", "labels": {"team": "web"}}
    found = backtested(rule, org, end=START + seconds(150))
    first, second = found.firings
    assert first.labels == {"alertname": "Backtest", "instance": "a", "team": "web"}
    assert (first.active_at, first.fired_at) == (START + seconds(15), START + seconds(30))
    assert (first.resolved_at, first.peak) == (START + seconds(60), 9.0)
    assert (second.fired_at, second.resolved_at) == (START + seconds(135), None)
    assert (found.total, found.series, found.abandoned, found.slots) == (2, 1, 1, 11)
    assert (found.pending_s, found.firing_s) == (45.0, 45.0)
    ((labels, firings),) = firings_by_labels(found.firings)
    assert labels == first.labels
    assert len(firings) == 2


def test_the_peak_of_too_little_is_the_least(store: MemoryStore) -> None:
    org = make_org("acme")
    for slot, value in enumerate([4, 2, 3]):
        put(store, org, START + seconds(slot * 15), value)
    (firing,) = backtested({"expr": "up < 5"}, org, end=START + seconds(30)).firings
    assert firing.peak == 2.0


@pytest.mark.parametrize(
    ("rule", "fields", "named"),
    [
        ({"expr": "up >"}, {}, "expr"),
        ({"record": "x", "expr": "up"}, {}, "alert"),
        ({"expr": "up"}, {"interval_ms": 1}, "range"),
        ({"expr": "up"}, {"end": START - seconds(60)}, "range"),
        ({"expr": "up", "for": "soon"}, {}, "for"),
    ],
)
def test_what_can_not_be_tested_is_said(
    rule: dict[str, Any], fields: dict[str, Any], named: str, store: MemoryStore
) -> None:
    with pytest.raises(InvalidFieldsError) as refused:
        backtested(rule, make_org("acme"), **fields)
    assert named in refused.value.fields


def test_too_many_elements_are_refused(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.alerting.services.backtests.MOST_ELEMENTS", 10)
    org = make_org("acme")
    put(store, org, START, 9)
    with pytest.raises(InvalidFieldsError, match="too many series"):
        backtested({"expr": "up > 5"}, org)


def test_time_is_limited(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.alerting.services.backtests.TIMEOUT_S", -1.0)
    with pytest.raises(InvalidFieldsError, match="took longer"):
        backtested({"expr": "up > 5"}, make_org("acme"))


def test_a_failing_expression_is_counted(store: MemoryStore) -> None:
    org = make_org("acme")
    for name in "ab":
        store.append(org.uid, [Sample({"__name__": "up", "n": name}, to_ms(START), 1.0)])
    found = backtested({"expr": "up + on (job) up"}, org)
    assert found.errors > 0
    assert "many-to-many" in found.error


URL = "/apis/alerting/v1/orgs/acme/rulegroups/backtest"


@pytest.fixture
def client(store: MemoryStore) -> Client:
    org = make_full_org("acme")
    now = utc_now()
    for back in range(40):
        put(store, org, now - seconds(back * 15), float(back % 20 < 10) * 9, instance="a")
    browser = Client()
    browser.force_login(
        User.objects.get(username="acme-admin"), "apps.accounts.services.signin.PersonBackend"
    )
    return browser


def test_the_api_answers_for_a_rule_as_written_and_a_stored_one(client: Client) -> None:
    def post(**body: object) -> Any:
        return client.post(URL, body, content_type="application/json")

    answer = post(expr="up > 5", range="10m", interval="15s").json()
    assert answer["total"] >= 2
    assert answer["firings"][0]["peak"] == "9"
    spec = {"interval": "15s", "rules": [{"alert": "Up", "expr": "up > 5"}]}
    group = {"apiVersion": "alerting/v1", "kind": "RuleGroup", "metadata": {"name": "web"}}
    base = URL.removesuffix("/backtest")
    made = client.post(base, {**group, "spec": spec}, content_type="application/json")
    assert made.status_code == 201, made.content
    stored = post(group="web", rule="Up", range="10m").json()
    assert stored["total"] >= 2
    assert stored["firings"][0]["labels"]["alertname"] == "Up"
    assert post(group="web", rule="Down").status_code == 422
    assert post(group="gone", rule="Up").status_code == 422
    assert post(group="web").status_code == 422
    assert post(expr="up >").status_code == 422


def test_the_editor_shows_when_it_would_have_fired(client: Client) -> None:
    form = {"~rules": "", "rules/2/kind": "alert", "rules/2/name": "Up", "interval": "15s"}
    form |= {"rules/2/expr": "up > 5", "preview": "rules/2"}
    html = client.post("/o/acme/rules/backtest", form).content.decode()
    assert "Would have fired" in html
    assert "data-inline" in html
    assert "instance" in html
    wrong = client.post("/o/acme/rules/backtest", {**form, "rules/2/expr": "up >"}).content
    assert b"expr:" in wrong
