"""Lists, counts and histories, and what they cost."""

from datetime import timedelta
from typing import Any, cast

import pytest

from apps.monitors.models import MaintenanceWindow, Monitor, MonitorMaintenance, StateChange
from apps.monitors.selectors.monitors import (
    MonitorFilters,
    broken_list,
    certificate_list,
    last_failure,
    monitor_count,
    monitor_get,
    monitor_list,
    overview_counts,
    state_history,
)
from apps.monitors.services.results import results_store
from apps.monitors.services.retention import history_prune, uptime_prune
from apps.orgs.models import Org
from detectviz.contracts.collector import Metric
from detectviz.permissions.access import Access, access_of
from detectviz.resources.errors import NotFoundError
from detectviz.tsdb.interface import SeriesStore
from tests.factories.accounts import grant, make_member
from tests.factories.monitors import START, make_monitor, make_report, make_result
from tests.factories.orgs import make_folder, make_org
from tests.factories.series import RecordingStore

pytestmark = pytest.mark.django_db


@pytest.fixture
def org() -> Org:
    return make_org()


@pytest.fixture
def access(org: Org) -> Access:
    return access_of(make_member(org, "ops", "admin"), org)


def checked(org: Org, name: str, state: str, **fields: Any) -> Monitor:
    result = fields.pop("result", None) or make_result(state)
    monitor = make_monitor(org, name, **fields)
    store = cast("SeriesStore", RecordingStore())
    results_store(reports=[make_report(monitor, result)], store=store)
    return monitor


@pytest.fixture
def fleet(org: Org) -> None:
    checked(org, "a-up", "up", labels={"team": "web"})
    checked(org, "b-down", "down", title="Shop")
    checked(org, "c-degraded", "degraded", is_in_maintenance=True)
    checked(org, "d-paused", "down", is_enabled=False)
    make_monitor(org, "e-new")
    checked(make_org("other"), "foreign", "down")


def names(access: Access, **filters: Any) -> list[str]:
    rows = monitor_list(access, MonitorFilters(**filters), now=START)
    return [row.monitor.name for row in rows]


@pytest.mark.usefixtures("fleet")
def test_broken_monitors_stand_first_and_paused_ones_last(access: Access) -> None:
    assert names(access) == ["b-down", "c-degraded", "e-new", "a-up", "d-paused"]


@pytest.mark.usefixtures("fleet")
@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"search": "shop"}, ["b-down"]),
        ({"states": frozenset({"down"})}, ["b-down"]),
        ({"states": frozenset({"up", "paused"})}, ["a-up", "d-paused"]),
        ({"types": frozenset({"nothing"})}, []),
        ({"labels": (("team", "web"),)}, ["a-up"]),
        ({"labels": (("team", "db"),)}, []),
    ],
)
def test_filters_narrow_the_list(
    access: Access, filters: dict[str, Any], expected: list[str]
) -> None:
    assert names(access, **filters) == expected
    assert monitor_count(access, MonitorFilters(**filters)) == len(expected)


@pytest.mark.usefixtures("fleet")
def test_counts_tell_paused_from_broken(access: Access) -> None:
    counts = overview_counts(access, now=START)
    assert (counts.up, counts.degraded, counts.down, counts.unknown, counts.paused) == (
        1,
        1,
        1,
        1,
        1,
    )
    assert (counts.total, counts.maintenance) == (5, 1)


@pytest.mark.usefixtures("fleet")
def test_monitors_in_a_window_count_as_in_maintenance_until_it_is_over(
    org: Org, access: Access
) -> None:
    ends_at = START + timedelta(hours=1)
    window = MaintenanceWindow.objects.create_for(org, name="move", strategy="once")
    span = {"since": START, "until": ends_at, "is_collecting": True}
    for name in ("a-up", "c-degraded", "d-paused"):
        monitor = Monitor.objects.for_org(org).get(name=name)
        MonitorMaintenance.objects.create_for(org, window=window, monitor=monitor, **span)
    assert overview_counts(access, now=START).maintenance == 2
    assert overview_counts(access, now=ends_at).maintenance == 1


@pytest.mark.usefixtures("fleet")
def test_what_is_broken_leaves_out_paused_and_never_checked(access: Access) -> None:
    assert [monitor.name for monitor in broken_list(access)] == ["b-down", "c-degraded"]


def test_a_folder_grant_shows_its_monitors_only(org: Org) -> None:
    folder = make_folder(org, "web")
    checked(org, "inside", "up", folder=folder)
    checked(org, "outside", "up")
    user = make_member(org, "guest")
    grant(user, folder, ["monitors:read"])
    access = access_of(user, org)
    assert names(access) == ["inside"]
    assert overview_counts(access, now=START).total == 1


def test_a_list_of_many_costs_four_queries(
    org: Org, access: Access, django_assert_num_queries: Any
) -> None:
    for number in range(12):
        checked(org, f"m-{number}", "up")
    with django_assert_num_queries(4):
        rows = monitor_list(access, MonitorFilters(), now=START)
    assert len(rows) == 12
    assert [len(row.recent) for row in rows] == [1] * 12


def test_history_and_the_last_failure(org: Org) -> None:
    monitor = checked(org, "home", "down", result=make_result("down", evidence={"why": "x"}))
    store = cast("SeriesStore", RecordingStore())
    later = make_report(monitor, make_result("up"), at=START + timedelta(minutes=1))
    results_store(reports=[later], store=store)
    assert [change.state for change in state_history(monitor)] == ["up", "down"]
    failure = last_failure(monitor)
    assert failure is not None
    assert failure.evidence == {"why": "x"}


def test_certificates_that_end_soon(org: Org, access: Access) -> None:
    soon = (START + timedelta(days=5)).timestamp()
    metric = Metric(name="probe_ssl_earliest_cert_expiry", value=soon)
    checked(org, "soon", "up", result=make_result("up", metrics=(metric,)))
    checked(org, "plain", "up")
    found = certificate_list(access, before=START + timedelta(days=14))
    assert [monitor.name for monitor in found] == ["soon"]


def test_an_unknown_name_is_not_found(org: Org) -> None:
    with pytest.raises(NotFoundError):
        monitor_get(org, "none")


def test_retention_deletes_what_is_old_and_nothing_else(org: Org) -> None:
    monitor = checked(org, "home", "up")
    assert history_prune(now=START + timedelta(days=364)) == 0
    assert uptime_prune(now=START) == 0
    assert history_prune(now=START + timedelta(days=366)) == 1
    assert not StateChange.objects.for_org(org).exists()
    assert Monitor.objects.for_org(org).filter(pk=monitor.pk).exists()
