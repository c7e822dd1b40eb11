"""The same change to many monitors, audited like any other."""

import pytest

from apps.audit.models import AuditEvent
from apps.monitors.models import Monitor, MonitorSchedule
from apps.monitors.services.bulk_actions import (
    monitors_delete,
    monitors_enable,
    monitors_label,
    monitors_maintain,
)
from apps.orgs.models import Org
from detectviz.resources.registry import registry
from detectviz.resources.services import resource_write
from tests.factories.accounts import make_user
from tests.factories.orgs import make_org

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("probe", "store")]


@pytest.fixture
def org() -> Org:
    return make_org()


@pytest.fixture
def monitors(org: Org) -> list[Monitor]:
    kind = registry.by_kind("monitoring/v1", "Monitor")
    assert kind is not None
    spec = {"type": "probe", "config": {"host": "example.org"}, "secrets": {"token": "abcdef"}}
    return [
        resource_write(
            kind, org=org, actor=None, name=f"m-{n}", spec=spec, labels={"team": "web"}
        ).instance
        for n in range(3)
    ]


def fresh(org: Org) -> list[Monitor]:
    return list(Monitor.objects.for_org(org).order_by("name"))


def test_pausing_counts_what_changed_and_is_audited(org: Org, monitors: list[Monitor]) -> None:
    actor = make_user("ops")
    before = AuditEvent.objects.filter(org_id=org.pk).count()
    assert monitors_enable(org=org, actor=actor, monitors=monitors[:2], is_enabled=False) == 2
    assert monitors_enable(org=org, actor=actor, monitors=fresh(org), is_enabled=False) == 1
    assert not MonitorSchedule.objects.for_org(org).filter(is_active=True).exists()
    assert AuditEvent.objects.filter(org_id=org.pk).count() == before + 3
    assert [dict(monitor.secrets) for monitor in fresh(org)] == [{"token": "abcdef"}] * 3


def test_labels_are_added_replaced_and_removed(org: Org, monitors: list[Monitor]) -> None:
    labels = {"team": "", "tier": "1"}
    assert monitors_label(org=org, actor=None, monitors=monitors, labels=labels) == 3
    assert [monitor.labels for monitor in fresh(org)] == [{"tier": "1"}] * 3


def test_maintenance_and_deletion(org: Org, monitors: list[Monitor]) -> None:
    assert monitors_maintain(org=org, actor=None, monitors=monitors, is_in_maintenance=True) == 3
    assert all(monitor.is_in_maintenance for monitor in fresh(org))
    assert monitors_delete(org=org, actor=None, monitors=fresh(org)[:2]) == 2
    assert [monitor.name for monitor in fresh(org)] == ["m-2"]
