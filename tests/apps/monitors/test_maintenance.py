"""Monitors go into maintenance windows and come out of them, on both databases."""

from datetime import timedelta
from typing import Any, cast

import pytest

from apps.monitors.models import MaintenanceWindow, Monitor, MonitorMaintenance, MonitorState
from apps.monitors.selectors.maintenance import maintained_monitors, maintenance_of, window_get
from apps.monitors.services.maintenance import windows_apply
from apps.monitors.services.plans import PlanCache, planned_of
from apps.monitors.services.results import results_store
from apps.monitors.services.schedule import claim_due, schedule_renew
from apps.monitors.services.window_specs import window_begin, window_end, window_state
from apps.orgs.models import Folder, Org
from detectviz.resources.errors import ConflictError, InvalidFieldsError
from detectviz.resources.services import resource_delete, resource_write
from detectviz.tsdb.interface import SeriesStore
from detectviz.web.writes import kind_of
from tests.factories.monitors import START, make_monitor, make_report, make_result
from tests.factories.orgs import make_org
from tests.factories.series import RecordingStore

pytestmark = pytest.mark.usefixtures("database", "store")
HOUR = timedelta(hours=1)


@pytest.fixture
def org() -> Org:
    return make_org()


def make_window(org: Org, name: str = "move", **said: Any) -> MaintenanceWindow:
    """Return a window that is on from START + 1 h to START + 3 h, unless said otherwise."""
    spec = {
        "strategy": "once",
        "starts_at": (START + HOUR).isoformat(),
        "ends_at": (START + 3 * HOUR).isoformat(),
        "all_monitors": not any(each in said for each in ("monitors", "selector", "folders")),
        **said,
    }
    folder = spec.pop("metadata_folder", None)
    kind = kind_of("monitoring/v1", "MaintenanceWindow")
    resource_write(kind, org=org, actor=None, name=name, spec=spec, folder=folder)
    row = window_get(org=org, name=name)
    row.next_change_at = START
    row.save()
    return row


def members(org: Org) -> list[str]:
    rows = MonitorMaintenance.objects.for_org(org).order_by("monitor__name")
    return list(rows.values_list("monitor__name", flat=True))


def claimed(now: Any) -> list[int]:
    claims = claim_due(owner="me", now=now, location="default")
    return [claim.monitor_id for claim in claims]


def test_a_window_covers_names_labels_and_folders(org: Org) -> None:
    folder = Folder.objects.create_for(org, name="shop")
    make_monitor(org, "named")
    make_monitor(org, "labelled", labels={"team": "web"})
    make_monitor(org, "filed", folder=folder)
    make_monitor(org, "other", labels={"team": "db"})
    make_window(org, monitors=["named"], selector="team=web", folders=["shop"])
    windows_apply(now=START + 2 * HOUR)
    assert members(org) == ["filed", "labelled", "named"]
    windows_apply(now=START + 3 * HOUR)
    assert members(org) == []


def test_a_window_in_a_folder_covers_only_monitors_of_that_folder(org: Org) -> None:
    folder = Folder.objects.create_for(org, name="shop")
    make_monitor(org, "inside", folder=folder)
    make_monitor(org, "outside")
    make_window(org, all_monitors=True, metadata_folder="shop")
    windows_apply(now=START + 2 * HOUR)
    assert members(org) == ["inside"]


def test_a_monitor_made_meanwhile_is_covered_too(org: Org) -> None:
    make_window(org)
    windows_apply(now=START + 2 * HOUR)
    window = window_get(org=org, name="move")
    assert window.next_change_at == START + 3 * HOUR
    make_monitor(org, "late")
    MaintenanceWindow.objects.for_org(org).update(next_change_at=START + 2 * HOUR)
    windows_apply(now=START + 2 * HOUR)
    assert members(org) == ["late"]


def test_with_collection_checks_go_on_and_count_as_maintenance(org: Org) -> None:
    monitor = make_monitor(org)
    plans = PlanCache()
    before = plans.plan(monitor.pk)
    make_window(org)
    at = START + 2 * HOUR
    windows_apply(now=at)
    schedule = type(monitor.schedule).objects.for_org(org).get(monitor=monitor)
    monitor.refresh_from_db()
    assert schedule.is_active
    assert schedule.config_version == monitor.config_version
    fresh = PlanCache().plan(monitor.pk)
    assert before is not None
    assert fresh is not None
    assert (before.policy.is_in_maintenance, fresh.policy.is_in_maintenance) == (False, True)
    assert fresh.config_version > before.config_version


def test_without_collection_nothing_is_claimed_until_the_window_is_over(org: Org) -> None:
    monitor = make_monitor(org)
    make_window(org, collect=False)
    assert claimed(START) == [monitor.pk]
    windows_apply(now=START + HOUR)
    assert claimed(START + 2 * HOUR) == []
    schedule_renew(monitor=monitor, now=START + 2 * HOUR)  # an edit does not wake it
    assert claimed(START + 2 * HOUR) == []
    windows_apply(now=START + 3 * HOUR)
    assert claimed(START + 3 * HOUR) == [monitor.pk]


def test_a_paused_monitor_stays_paused_after_the_window(org: Org) -> None:
    make_monitor(org, is_enabled=False)
    make_window(org, collect=False)
    windows_apply(now=START + HOUR)
    windows_apply(now=START + 3 * HOUR)
    assert claimed(START + 3 * HOUR) == []


def test_a_result_under_way_when_collection_stops_is_dropped(
    org: Org, store: RecordingStore
) -> None:
    monitor = make_monitor(org)
    report = make_report(monitor, make_result("down"))
    make_window(org, collect=False)
    windows_apply(now=START + HOUR)
    stored = results_store(reports=[report], store=cast("SeriesStore", store))
    assert (stored.stored, stored.fenced) == (0, 1)


def test_unwatched_maintenance_is_neither_up_nor_down(org: Org, store: RecordingStore) -> None:
    monitor = make_monitor(org, interval_s=3600.0)
    results_store(
        reports=[make_report(monitor, make_result("up"))], store=cast("SeriesStore", store)
    )
    make_window(org, collect=False)
    windows_apply(now=START + HOUR)
    windows_apply(now=START + 3 * HOUR)
    late = make_report(monitor, make_result("down"), at=START + 3 * HOUR + timedelta(seconds=1))
    results_store(reports=[late], store=cast("SeriesStore", store))
    state: MonitorState = MonitorState.objects.for_org(org).get(monitor=monitor)
    hours = list(monitor.uptimes.order_by("hour_ms").values_list("up_s", "maintenance_s"))
    assert [each for each in hours if any(each)] == [(0.0, 3600.0), (0.0, 3600.0)]
    assert state.up_s == pytest.approx(1, abs=0.2)
    assert state.maintenance_s == 0


def test_two_windows_hold_until_the_last_is_over(org: Org) -> None:
    monitor = make_monitor(org)
    make_window(org, "short", collect=False, ends_at=(START + 2 * HOUR).isoformat())
    make_window(org, "long", collect=False)
    windows_apply(now=START + HOUR)
    windows_apply(now=START + 2 * HOUR)
    assert claimed(START + 2 * HOUR) == []
    found = maintenance_of(org, [monitor.pk], START + 2 * HOUR)
    assert [each.name for each in found[monitor.pk]] == ["long"]


def test_a_deleted_window_lets_its_monitors_go(org: Org) -> None:
    monitor = make_monitor(org)
    make_window(org, collect=False)
    windows_apply(now=START + HOUR)
    kind = kind_of("monitoring/v1", "MaintenanceWindow")
    resource_delete(kind, org=org, actor=None, name="move")
    assert members(org) == []
    assert type(monitor.schedule).objects.for_org(org).get(monitor=monitor).is_active


def test_a_window_is_begun_and_ended_by_hand(org: Org) -> None:
    make_monitor(org)
    window = make_window(org)
    with pytest.raises(ConflictError):
        window_end(window=window, now=START)
    window_begin(window=window, now=START)
    windows_apply(now=START)
    assert members(org) == ["home"]
    with pytest.raises(ConflictError):
        window_begin(window=window, now=START)
    window_end(window=window, now=START + timedelta(minutes=5))
    windows_apply(now=START + timedelta(minutes=5))
    assert (members(org), window_state(window, START + timedelta(minutes=5)).value) == (
        [],
        "scheduled",
    )
    windows_apply(now=START + HOUR)
    assert members(org) == ["home"]


def test_monitors_set_to_maintenance_by_hand_are_told_apart(org: Org) -> None:
    make_monitor(org, "flagged", is_in_maintenance=True)
    make_monitor(org, "covered")
    make_window(org, monitors=["covered"], title="Move", note="New racks")
    windows_apply(now=START + HOUR)
    found = maintained_monitors(org, START + HOUR)
    assert {name: [each.title for each in them] for name, them in found.items()} == {
        "covered": ["Move"],
        "flagged": [""],
    }


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"strategy": "cron"}, "spec.cron"),
        ({"strategy": "weekly", "weekdays": ["monday"]}, "spec.duration"),
        ({"strategy": "monthly", "duration": "1h"}, "spec.days"),
        ({"cron": "* * * * *"}, "spec.cron"),
        ({"ends_at": START.isoformat()}, "spec.ends_at"),
        ({"selector": "team in"}, "spec.selector"),
        ({"matchers": ["team"]}, "spec.matchers"),
        ({"matchers": ['a="b", c="d"']}, "spec.matchers"),
        ({"location": "Moon/Base"}, "spec.location"),
        ({"all_monitors": False}, "spec.monitors"),
        ({"starts_at": "0001-01-01T00:00:00Z"}, "spec.starts_at"),
        ({"start_time": "25:00"}, "spec.start_time"),
    ],
)
def test_a_window_that_cannot_be_is_refused(org: Org, said: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidFieldsError) as refused:
        make_window(org, **said)
    assert field in refused.value.fields


def test_the_plan_of_a_monitor_in_no_window_says_so(org: Org) -> None:
    monitor: Monitor = make_monitor(org)
    assert not planned_of(monitor).plan.policy.is_in_maintenance
