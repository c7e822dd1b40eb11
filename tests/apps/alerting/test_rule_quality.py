"""How good rules are is counted from what they did and what people did about it."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from apps.accounts.models import User
from apps.alerting.enums import AlertState, HandlingAction
from apps.alerting.models import AlertEvent, HandlingEvent, RuleGroup
from apps.alerting.services.fingerprints import fingerprint
from apps.alerting.services.rule_proposals import rule_proposal
from apps.alerting.services.rule_quality import RuleQuality, rule_quality_list
from apps.notifications.enums import DeliveryStatus, SuppressionKind
from apps.notifications.models import Delivery, SuppressionEntry
from apps.orgs.models import Org
from detectviz.clock import to_ms, utc_now
from detectviz.promql.memory_store import MemoryStore
from detectviz.resources.errors import InvalidFieldsError
from detectviz.tsdb.interface import Sample
from tests.factories.accounts import make_full_org
from tests.factories.alerting import make_rulegroup
from tests.factories.orgs import make_org

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 31, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
BASE = "/apis/alerting/v1/orgs/acme"


@pytest.fixture
def org(store: MemoryStore) -> Org:
    return make_org("acme")


def fire(
    group: RuleGroup, at: datetime, lasts: timedelta | None, *, instance: str = "a", rule: str = ""
) -> str:
    """Write the transitions of one firing; it is still on where ``lasts`` is None."""
    name = rule or "Down"
    labels = {"alertname": name, "instance": instance}
    rows: list[dict[str, Any]] = [
        {"previous": AlertState.PENDING, "state": AlertState.FIRING, "at": at}
    ]
    if lasts is not None:
        ended = {"previous": AlertState.FIRING, "state": AlertState.RESOLVED, "at": at + lasts}
        rows.append(ended)
    AlertEvent.objects.for_org(group.org_id).bulk_create(
        AlertEvent(
            org_id=group.org_id,
            group_name=group.name,
            rule_name=name,
            fingerprint=fingerprint(labels),
            labels=labels,
            value="0",
            **row,
        )
        for row in rows
    )
    return fingerprint(labels)


def handle(
    group: RuleGroup, alert: str, fired_at: datetime, after_s: float, action: HandlingAction
) -> None:
    HandlingEvent.objects.for_org(group.org_id).create(
        org_id=group.org_id,
        fingerprint=alert,
        action=action,
        actor_name="alice",
        at=fired_at + timedelta(seconds=after_s),
        group_name=group.name,
        rule_name="Down",
        fired_at=fired_at,
        after_s=after_s,
    )


def quality(org: Org, **more: Any) -> RuleQuality:
    groups = RuleGroup.objects.for_org(org)
    return rule_quality_list(org=org, groups=groups, now=NOW, **more)[0]


def test_a_rule_that_never_fired_is_listed_with_nothing_to_measure(org: Org) -> None:
    make_rulegroup(org)
    found = quality(org)
    assert (found.rule, found.firings, found.precision, found.mean_s) == ("Down", 0, None, None)


def test_firings_are_counted_by_what_became_of_them(org: Org) -> None:
    group = make_rulegroup(org)
    at = NOW - timedelta(days=2)
    alert = fire(group, at, 2 * MINUTE)
    fire(group, at + 10 * MINUTE, 4 * MINUTE)  # back within the hour
    third = at + timedelta(hours=3)
    fire(group, third, 6 * MINUTE)
    fire(group, NOW - 8 * MINUTE, None, instance="b")  # open: not decided
    fire(group, NOW - timedelta(days=40), MINUTE)  # too long ago
    handle(group, alert, at, 30, HandlingAction.ACKNOWLEDGE)
    handle(group, alert, at, 50, HandlingAction.ACKNOWLEDGE)
    handle(group, alert, third, 90, HandlingAction.ACKNOWLEDGE)
    handle(group, alert, at + 10 * MINUTE, 5, HandlingAction.UNSNOOZE)  # taking back is no act
    found = quality(org)
    assert (found.firings, found.series, found.acted_on, found.untouched) == (4, 2, 2, 1)
    assert found.precision == pytest.approx(2 / 3)
    assert found.acknowledge_s == 60  # of 30 s and 90 s
    assert found.flap_index == 0.25
    assert found.mean_s == (2 + 4 + 6 + 8) * 60 / 4


def test_the_night_is_where_the_time_zone_has_it(org: Org) -> None:
    group = make_rulegroup(org)
    fire(group, datetime(2026, 3, 20, 6, 59, tzinfo=UTC), MINUTE)
    fire(group, datetime(2026, 3, 20, 21, 30, tzinfo=UTC), MINUTE)
    fire(group, datetime(2026, 3, 20, 7, 0, tzinfo=UTC), MINUTE)
    assert quality(org).night == 1
    assert quality(org, zone=ZoneInfo("Europe/Vienna")).night == 1  # 22:30, the others 8 o'clock


def test_what_was_told_and_silenced_is_counted(org: Org) -> None:
    group = make_rulegroup(org)
    at = NOW - timedelta(days=1)
    alert = fire(group, at, 2 * MINUTE)
    fire(group, at + timedelta(hours=2), 2 * MINUTE)
    for number, status in enumerate((DeliveryStatus.DELIVERED, DeliveryStatus.FAILED)):
        Delivery.objects.for_org(org).create(
            org_id=org.pk,
            group_key="g",
            key_digest="d",
            contact_point="c",
            receiver="r",
            notifier="webhook",
            flush_number=number,
            payload={},
            firing=[alert, "other"],
            status=status,
            next_attempt_at=at,
            created_at=at,
        )
    for contact_point in ("c", "d"):
        SuppressionEntry.objects.for_org(org).create(
            org_id=org.pk,
            fingerprint=alert,
            labels={},
            contact_point=contact_point,
            group_key="g",
            key_digest="d",
            kind=SuppressionKind.SILENCE,
            since=at,
            ended_at=at + MINUTE,
        )
    found = quality(org)
    assert (found.notifications, found.acted_on, found.untouched) == (1, 1, 1)


def test_the_number_of_queries_does_not_depend_on_the_rules(
    org: Org, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    rules = [{"alert": f"R{number}", "expr": "up == 0"} for number in range(40)]
    group = make_rulegroup(org, rules=rules)
    for number in range(40):
        fire(group, NOW - timedelta(days=1), MINUTE, rule=f"R{number}")
    groups = RuleGroup.objects.for_org(org)
    with django_assert_num_queries(5):
        found = rule_quality_list(org=org, groups=groups, now=NOW)
    assert [row.firings for row in found] == [1] * 40


def put_load(store: MemoryStore, org: Org, now: datetime) -> list[datetime]:
    """Store a day of load: every 2 h a 90 s peak of 6, at last 40 minutes of 9; return starts."""
    begins = [now - timedelta(hours=hours) for hours in range(22, 3, -2)]
    long = now - timedelta(hours=2)
    at, samples = now - timedelta(hours=24), []
    while at <= now:
        is_short = any(begin <= at < begin + timedelta(seconds=90) for begin in begins)
        value = 9.0 if long <= at < long + 40 * MINUTE else 6.0 if is_short else 1.0
        samples.append(Sample({"__name__": "load", "instance": "a"}, to_ms(at), value))
        at += timedelta(seconds=30)
    store.append(org.uid, samples)
    return [*begins, long]


def test_a_longer_for_and_a_higher_threshold_are_proposed_from_history(
    store: MemoryStore, org: Org
) -> None:
    group = make_rulegroup(org, rules=[{"alert": "Down", "expr": "load > 5"}], interval_s=30)
    *short, long = put_load(store, org, NOW)
    alert = fingerprint({"alertname": "Down", "instance": "a"})
    handle(group, alert, long, 300, HandlingAction.ACKNOWLEDGE)
    found = rule_proposal(group=group, rule_name="Down", now=NOW, window=timedelta(hours=24))
    assert (found.firings, found.acted_on) == (len(short) + 1, 1)
    assert found.proposed_for is not None
    assert (found.proposed_for.value, found.proposed_for.later_s) == ("2m", 120)
    assert (found.proposed_for.firings, found.proposed_for.avoided) == (1, len(short))
    assert found.proposed_expr is not None
    assert (found.proposed_expr.value, found.proposed_expr.firings) == ("load > 6", 1)
    last = found.trade_offs[-1]  # an hour: longer than what mattered
    assert (last.firings, last.avoided, last.missed) == (0, len(short) + 1, 1)


def test_nothing_is_proposed_that_misses_what_somebody_acted_on(
    store: MemoryStore, org: Org
) -> None:
    group = make_rulegroup(org, rules=[{"alert": "Down", "expr": "load > 5"}], interval_s=30)
    alert = fingerprint({"alertname": "Down", "instance": "a"})
    for begin in put_load(store, org, NOW):
        handle(group, alert, begin, 60, HandlingAction.ACKNOWLEDGE)
    found = rule_proposal(group=group, rule_name="Down", now=NOW, window=timedelta(hours=24))
    assert (found.proposed_for, found.proposed_expr) == (None, None)


def test_a_rule_of_another_name_is_refused(org: Org) -> None:
    with pytest.raises(InvalidFieldsError):
        rule_proposal(group=make_rulegroup(org), rule_name="Up", now=NOW)


@pytest.fixture
def client(store: MemoryStore) -> Client:
    make_full_org("acme")
    browser = Client()
    browser.force_login(
        User.objects.get(username="acme-admin"), "apps.accounts.services.signin.PersonBackend"
    )
    return browser


def test_quality_and_proposals_are_answered_by_rest(client: Client, store: MemoryStore) -> None:
    org, now = Org.objects.get(name="acme"), utc_now()
    group = make_rulegroup(org, "load", rules=[{"alert": "Down", "expr": "load > 5"}])
    fire(group, now - timedelta(hours=1), MINUTE)
    put_load(store, org, now)
    answer = client.get(f"{BASE}/rulegroups/quality?window=7d&tz=Europe/Vienna").json()
    (row,) = [one for one in answer["items"] if one["rule_group"] == "load"]
    assert (row["rule"], row["firings"], row["precision"]) == ("Down", 1, 0.0)
    assert client.get(f"{BASE}/rulegroups/quality?tz=Nowhere").status_code == 422
    assert client.get(f"{BASE}/rulegroups/quality?window=x").status_code == 422
    found = client.get(f"{BASE}/rulegroups/load/proposal?rule=Down&window=1d").json()
    assert found["proposed_for"]["value"] == "2m"
    assert client.get(f"{BASE}/rulegroups/load/proposal?rule=None").status_code == 422


def test_the_page_is_sorted_and_leads_to_the_editor_with_the_proposal(
    client: Client, store: MemoryStore
) -> None:
    org, now = Org.objects.get(name="acme"), utc_now()
    rules = [{"alert": "Down", "expr": "load > 5"}, {"alert": "Calm", "expr": "load > 50"}]
    group = make_rulegroup(org, "load", rules=rules)
    fire(group, now - timedelta(hours=1), MINUTE)
    put_load(store, org, now)
    page = client.get("/o/acme/rules/quality").content.decode()
    assert page.index(">Down<") < page.index(">Calm<")
    by_name = client.get("/o/acme/rules/quality?sort=rule").content.decode()
    assert by_name.index(">Calm<") < by_name.index(">Down<")
    uid = next(rule.uid for rule in group.rules.all() if rule.name == "Down")
    shown = client.get(f"/o/acme/rules/quality/{uid}?window=1d").content.decode()
    link = "/o/acme/rules/g/load/edit?rule=Down&amp;for=2m"
    assert link in shown
    editor = client.get(link.replace("&amp;", "&")).content.decode()
    assert 'value="2m"' in editor
    assert client.get("/o/acme/rules/quality/none").status_code == 404
