"""What pages ask for, with a constant number of queries."""

import pytest
from pytest_django import DjangoAssertNumQueries

from apps.alerting.models import Alert, AlertEvent
from apps.alerting.selectors import (
    alert_counts,
    alert_event_list,
    alert_get,
    alert_history,
    alert_list,
    rulegroup_get,
    rulegroup_list,
    rulegroup_queryset,
)
from apps.alerting.services.groups import groups_evaluate_due
from apps.alerting.services.retention import alert_history_prune
from apps.orgs.models import Org
from detectviz.promql.memory_store import MemoryStore
from tests.factories.alerting import DOWN, START, make_rulegroup, put, seconds
from tests.factories.orgs import make_org

pytestmark = pytest.mark.django_db


@pytest.fixture
def org(store: MemoryStore) -> Org:
    org = make_org("acme")
    for number in range(3):
        make_rulegroup(org, f"fine-{number}", rules=[{"alert": "Never", "expr": "up > 5"}])
    make_rulegroup(org, "slow", rules=[{**DOWN, "for": "5m"}])
    make_rulegroup(org, "fast", rules=[DOWN, {"record": "x", "expr": "up * on (nope) up"}])
    for name in ("a", "b"):
        put(store, org, START, 0, instance=name)
    groups_evaluate_due(owner="test", clock=lambda: START + seconds(16))
    return org


def test_what_is_broken_now_comes_firing_first(
    org: Org, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(1):
        shown = [
            (row.state, row.rule.group.name if row.rule else "", row.labels["instance"])
            for row in alert_list(org)
        ]
    assert [state for state, _, _ in shown] == ["firing", "firing", "pending", "pending"]
    assert {group for _, group, _ in shown[:2]} == {"fast"}


def test_one_alert_comes_with_its_history(org: Org) -> None:
    alert = alert_list(org)[0]
    assert alert_get(org, alert.name) == alert
    assert alert_get(make_org("other"), alert.name) is None
    states = {(event.group_name, event.state) for event in alert_history(org, alert.fingerprint)}
    assert states == {("fast", "firing"), ("slow", "pending")}
    assert len(alert_event_list(org, limit=3)) == 3


def test_states_are_counted_in_one_query(
    org: Org, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(1):
        counts = alert_counts(org)
    assert counts == {"inactive": 0, "pending": 2, "firing": 2, "recovering": 0, "resolved": 0}


def test_groups_are_listed_with_their_worst_state_in_one_query(
    org: Org, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(1):
        listed = {
            group.name: (
                group.worst_state,  # type: ignore[attr-defined]  # annotated
                group.firing_count,  # type: ignore[attr-defined]  # annotated
                group.pending_count,  # type: ignore[attr-defined]  # annotated
                group.rule_count,  # type: ignore[attr-defined]  # annotated
                group.error_count,  # type: ignore[attr-defined]  # annotated
            )
            for group in rulegroup_list(org)
        }
    assert listed["fast"] == ("firing", 2, 0, 2, 1)
    assert listed["slow"] == ("pending", 0, 2, 1, 0)
    assert listed["fine-0"] == ("inactive", 0, 0, 1, 0)


def test_a_group_comes_with_its_rules_counted(
    org: Org, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(2):
        group = rulegroup_get(org, "fast")
        assert group is not None
        counts = [rule.firing_count for rule in group.rules.all()]  # type: ignore[attr-defined]  # annotated
    assert counts == [2, 0]


def test_the_envelopes_of_groups_need_two_queries(
    org: Org, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(2):
        for group in rulegroup_queryset(org):
            assert [rule.name for rule in group.rules.all()]
            assert group.org == org
            assert group.folder is None


def test_history_older_than_a_year_is_forgotten(org: Org) -> None:
    assert alert_history_prune(now=START + seconds(60)) == 0
    assert alert_history_prune(now=START + seconds(366 * 86_400)) == 4
    assert AlertEvent.objects.for_org(org).count() == 0
    assert Alert.objects.for_org(org).count() == 4
