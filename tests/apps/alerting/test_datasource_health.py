"""A datasource that is down is told once, and holds back the errors of its rules."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from apps.alerting.models import Alert, RuleGroup
from apps.alerting.services.datasource_health import GROUP_NAME
from apps.alerting.services.groups import group_evaluate
from apps.alerting.services.held_alerts import datasources_down, failed_datasources
from apps.datasources.models import Datasource
from apps.datasources.selectors.resolution import memory_clear
from apps.datasources.services.queries import query_executor_forget
from apps.orgs.models import Org
from detectviz.promql.memory_store import MemoryStore
from tests.factories.accounts import make_full_org
from tests.factories.alerting import first_rule, make_rulegroup
from tests.factories.rule_queries import load_rule, make_hosts, write_hosts

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _fresh_executor() -> Iterator[None]:
    query_executor_forget()
    memory_clear()
    yield
    memory_clear()
    query_executor_forget()


@pytest.fixture
def org(store: MemoryStore) -> Org:
    org = make_full_org("acme")
    RuleGroup.objects.for_org(org).delete()
    return org


@pytest.fixture
def hosts(org: Org, tmp_path: Path, settings: Settings) -> Datasource:
    settings.DATASOURCE_FILES_DIR = tmp_path
    return make_hosts(org, tmp_path)


def evaluate(group: RuleGroup) -> None:
    """Evaluate a group at its next slot, whichever other is due before it."""
    group.refresh_from_db()
    assert group.next_due_at is not None
    group_evaluate(group_id=group.pk, epoch=group.epoch, now=group.next_due_at)


def health(org: Org) -> RuleGroup:
    group: RuleGroup = RuleGroup.objects.for_org(org).get(name=GROUP_NAME)
    return group


def test_rules_that_fail_together_are_one_alert(
    org: Org, hosts: Datasource, tmp_path: Path
) -> None:
    write_hosts(org, tmp_path, {"a": 3})
    rules = [load_rule(alert=name) for name in ("One", "Two")]
    group = make_rulegroup(org, rules=rules)
    evaluate(group)
    assert not RuleGroup.objects.for_org(org).filter(name=GROUP_NAME).exists()

    path = tmp_path / org.name / "hosts.db"
    path.rename(path.with_suffix(".gone"))
    evaluate(group)
    assert first_rule(group).failing_datasources == [hosts.uid]
    evaluate(health(org))
    down = Alert.objects.for_org(org).get(rule__name="DatasourceDown")
    assert (down.state, down.value) == ("firing", "2")
    assert down.labels["datasource"] == "hosts"
    assert down.labels["datasource_uid"] == hosts.uid
    errors = Alert.objects.for_org(org).filter(labels__alertname="DatasourceError")
    assert {row.labels["rulename"] for row in errors} == {"One", "Two"}
    assert {row.labels["datasource_uid"] for row in errors} == {hosts.uid}
    keys = [row.fingerprint for row in errors]
    assert list(failed_datasources(org, keys).values()) == [[hosts.uid]] * 2
    assert list(datasources_down(org)) == [hosts.uid]

    path.with_suffix(".gone").rename(path)
    query_executor_forget()
    evaluate(group)
    evaluate(health(org))
    assert datasources_down(org) == {}
    assert first_rule(group).failing_datasources == []


def test_one_rule_that_fails_speaks_for_itself(org: Org, hosts: Datasource, tmp_path: Path) -> None:
    group = make_rulegroup(org, rules=[load_rule()])
    (tmp_path / org.name / "hosts.db").unlink()
    evaluate(group)
    evaluate(health(org))
    assert datasources_down(org) == {}


def test_a_query_that_is_refused_does_not_count(org: Org, hosts: Datasource) -> None:
    query = {"ref_id": "A", "datasource": "hosts", "model": {}}
    group = make_rulegroup(org, rules=[load_rule(queries=[query, load_rule()["queries"][1]])])
    evaluate(group)
    rule = first_rule(group)
    assert rule.last_error
    assert rule.failing_datasources == []
