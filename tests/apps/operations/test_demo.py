"""The demonstration data is valid, whole, and about this very product."""

from datetime import UTC, datetime

import pytest
import time_machine
from django.test import override_settings

from apps.alerting.selectors import rulegroup_list
from apps.monitors.models import Monitor
from apps.notifications.models import ContactPoint, RoutingTree, Silence
from apps.operations.services.startup import demo_prepare
from apps.orgs.models import Org
from tests.factories.orgs import make_org

pytestmark = pytest.mark.django_db


@pytest.fixture
def org() -> Org:
    return make_org("default")


def test_every_manifest_is_applied(org: Org) -> None:
    said: list[str] = []
    demo_prepare(say=said.append)
    assert Monitor.objects.for_org(org).count() >= 6
    assert "shop" in [group.name for group in rulegroup_list(org)]
    points = set(ContactPoint.objects.for_org(org).values_list("name", flat=True))
    tree = RoutingTree.objects.for_org(org).get()
    assert {route["contact_point"] for route in tree.root["routes"]} <= points
    assert said == ["Demonstration data is in place."]


def test_applying_it_again_changes_nothing(org: Org) -> None:
    demo_prepare(say=print)
    before = list(Monitor.objects.for_org(org).values_list("name", "resource_version"))
    demo_prepare(say=print)
    assert list(Monitor.objects.for_org(org).values_list("name", "resource_version")) == before


@time_machine.travel(datetime(2040, 2, 29, tzinfo=UTC))
def test_it_can_be_applied_in_any_year(org: Org) -> None:
    demo_prepare(say=print)
    assert Silence.objects.for_org(org).get(name="backup-hour").ends_at.year == 2044


@override_settings(PORT=18123)
def test_it_watches_the_port_on_which_the_product_listens(org: Org) -> None:
    demo_prepare(say=print)
    configs = dict(Monitor.objects.for_org(org).values_list("name", "config"))
    assert configs["detectviz"]["url"] == "http://127.0.0.1:18123/healthz"
    assert configs["web-port"]["port"] == 18123


def test_nothing_leaves_this_machine_unless_it_is_resumed(org: Org) -> None:
    demo_prepare(say=print)
    enabled = Monitor.objects.for_org(org).filter(is_enabled=True).values_list("config", flat=True)
    for config in enabled:
        where = f"{config.get('url', '')} {config.get('host', '127.0.0.1')}"
        assert "127.0.0.1" in where
