"""Storing batches of results, on SQLite and on PostgreSQL."""

import math
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import cast

import pytest

from apps.monitors.models import Monitor, MonitorSchedule, MonitorState, MonitorUptime, StateChange
from apps.monitors.selectors.recent import recent_read
from apps.monitors.selectors.uptime import uptime_list
from apps.monitors.services.reports import CheckReport
from apps.monitors.services.results import (
    StoredResults,
    results_store,
    results_store_safely,
)
from apps.monitors.services.schedule import claim_due, schedule_renew
from apps.orgs.models import Org
from detectviz.clock import to_ms
from detectviz.contracts.collector import CheckResult, Metric
from detectviz.contracts.types import CheckState
from detectviz.events import bus
from detectviz.events.types import MonitorStateChanged
from detectviz.tsdb.interface import SeriesStore, StoreError
from tests.factories.monitors import START, make_monitor, make_report, make_result
from tests.factories.orgs import make_org
from tests.factories.series import RecordingStore

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def org() -> Org:
    return make_org()


@pytest.fixture
def published() -> Iterator[list[MonitorStateChanged]]:
    events: list[MonitorStateChanged] = []
    bus.subscribe_batches(MonitorStateChanged)(events.extend)
    yield events
    bus._handlers[MonitorStateChanged].remove(events.extend)


def store_all(store: RecordingStore, *reports: CheckReport) -> StoredResults:
    return results_store(reports=reports, store=cast("SeriesStore", store))


def check(
    store: RecordingStore, monitor: Monitor, result: CheckResult, at: datetime = START
) -> StoredResults:
    return store_all(store, make_report(monitor, result, at=at))


def state_of(monitor: Monitor) -> MonitorState:
    found: MonitorState = MonitorState.objects.for_org(monitor.org_id).get(monitor=monitor)
    return found


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def test_a_result_becomes_state_history_samples_and_an_event(
    org: Org, store: RecordingStore, published: list[MonitorStateChanged]
) -> None:
    monitor = make_monitor(org, labels={"team": "web", "bad-name": "x", "location": "mine"})
    claim_due(owner="one", now=START, location="default")
    metric = Metric(name="probe_http_duration_seconds", value=0.01, labels={"phase": "tls"})
    stored = check(store, monitor, make_result("up", metrics=(metric,), evidence={"a": 1}))

    state = state_of(monitor)
    assert (stored.stored, stored.fenced) == (1, 0)
    assert (state.state, state.message, state.last_duration_s) == ("up", "is up", 0.02)
    assert state.since == state.last_check_at == after(0.02)
    (bar,) = recent_read(state.recent)
    assert bar.state is CheckState.UP
    assert bar.duration_s == pytest.approx(0.02)
    change = StateChange.objects.for_org(org).get()
    assert (change.previous, change.state, change.evidence) == ("unknown", "up", {"a": 1})
    assert [(event.name, event.previous, event.state) for event in published] == [
        ("home", "unknown", "up")
    ]
    own = {"monitor": "home", "type": "probe", "location": "default", "team": "web"}
    assert {
        sample.labels["__name__"]: (sample.value, sample.timestamp_ms)
        for sample in store.samples[org.uid]
    } == {
        "probe_success": (1.0, to_ms(START)),
        "probe_duration_seconds": (0.02, to_ms(START)),
        "probe_state": (1.0, to_ms(START)),
        "probe_http_duration_seconds": (0.01, to_ms(START)),
    }
    assert store.samples[org.uid][0].labels == {"__name__": "probe_success", **own}
    assert store.samples[org.uid][-1].labels["phase"] == "tls"
    schedule = MonitorSchedule.objects.for_org(org).get()
    assert schedule.lease_owner == ""


def test_retries_keep_the_state_and_bring_the_next_check_forward(
    org: Org, store: RecordingStore
) -> None:
    monitor = make_monitor(org, retries=1, retry_interval_s=5)
    check(store, monitor, make_result("up"))
    MonitorSchedule.objects.for_org(org).update(next_due_ms=to_ms(after(60)))
    check(store, monitor, make_result("down"), at=after(10))

    state = state_of(monitor)
    assert (state.state, state.is_retrying, state.consecutive_failures) == ("up", True, 1)
    schedule = MonitorSchedule.objects.for_org(org).get()
    assert schedule.next_due_ms == to_ms(after(15.02))
    assert store.values(org.uid, "probe_success") == [1.0, 0.0]
    assert store.values(org.uid, "probe_state") == [1.0, 1.0]

    check(store, monitor, make_result("down"), at=after(16))
    state = state_of(monitor)
    assert (state.state, state.is_retrying) == ("down", False)
    assert store.values(org.uid, "probe_state") == [1.0, 1.0, 0.0]


def test_an_inverted_monitor_is_down_while_its_target_answers(
    org: Org, store: RecordingStore
) -> None:
    monitor = make_monitor(org, is_inverted=True)
    check(store, monitor, make_result("up"))
    assert state_of(monitor).state == "down"
    assert store.values(org.uid, "probe_success") == [0.0]


def test_maintenance_stores_results_and_flags_the_transition(
    org: Org, store: RecordingStore
) -> None:
    monitor = make_monitor(org, is_in_maintenance=True)
    check(store, monitor, make_result("down"))
    check(store, monitor, make_result("down"), at=after(60))
    assert StateChange.objects.for_org(org).get().is_in_maintenance
    assert state_of(monitor).maintenance_s == pytest.approx(60)
    assert state_of(monitor).down_s == 0


def test_an_unknown_result_guesses_nothing(org: Org, store: RecordingStore) -> None:
    monitor = make_monitor(org)
    check(store, monitor, make_result("unknown"))
    assert store.values(org.uid, "probe_state") == [3.0]
    assert math.isnan(store.values(org.uid, "probe_success")[0])
    assert not StateChange.objects.for_org(org).exists()


def test_an_offline_prober_changes_nothing_but_the_schedule(
    org: Org, store: RecordingStore
) -> None:
    monitor = make_monitor(org)
    claim_due(owner="one", now=START, location="default")
    check(store, monitor, make_result("up"))
    (claim,) = claim_due(owner="one", now=after(60), location="default", look_ahead_s=60)
    report = make_report(
        monitor, make_result("unknown"), at=after(90), is_offline=True, slot_ms=claim.slot_ms
    )
    assert store_all(store, report).stored == 1
    assert state_of(monitor).state == "up"
    assert state_of(monitor).last_check_at == after(0.02)
    assert len(store.values(org.uid, "probe_state")) == 1
    assert MonitorSchedule.objects.for_org(org).get().lease_owner == ""


def test_a_fenced_result_leaves_no_trace(org: Org, store: RecordingStore) -> None:
    monitor = make_monitor(org)
    report = make_report(monitor, make_result("down"))
    schedule_renew(monitor=monitor, now=after(1))
    stored = store_all(store, report)
    assert (stored.stored, stored.fenced, stored.samples) == (0, 1, 0)
    assert state_of(monitor).last_check_at is None


def test_a_result_of_a_deleted_monitor_is_dropped(org: Org, store: RecordingStore) -> None:
    monitor = make_monitor(org)
    report = make_report(monitor, make_result("down"))
    monitor.delete()
    assert store_all(store, report).fenced == 1


def test_the_same_batch_twice_changes_nothing_the_second_time(
    org: Org, store: RecordingStore
) -> None:
    monitor = make_monitor(org, retries=3)
    report = make_report(monitor, make_result("down"))
    assert store_all(store, report).stored == 1
    assert store_all(store, report).fenced == 1
    assert state_of(monitor).consecutive_failures == 1


def test_several_results_of_one_monitor_in_one_batch_are_applied_in_order(
    org: Org, store: RecordingStore
) -> None:
    monitor = make_monitor(org)
    reports = [
        make_report(monitor, make_result(state), at=after(seconds))
        for seconds, state in [(2, "up"), (0, "up"), (1, "down")]
    ]
    assert store_all(store, *reports).stored == 3
    changes = StateChange.objects.for_org(org).order_by("at").values_list("state", flat=True)
    assert list(changes) == ["up", "down", "up"]
    assert state_of(monitor).last_check_at == after(2.02)


def test_a_full_series_store_fails_the_batch_and_nothing_is_written(
    org: Org, store: RecordingStore
) -> None:
    monitor = make_monitor(org)
    report = make_report(monitor, make_result("down"))
    store.fail = True
    with pytest.raises(StoreError):
        store_all(store, report)
    assert state_of(monitor).last_check_at is None
    assert store_all(store, report).stored == 1


def test_many_monitors_of_two_orgs_go_to_their_own_tenants(org: Org, store: RecordingStore) -> None:
    other = make_org("other")
    monitors = [make_monitor(each, f"m-{n}") for n in range(20) for each in (org, other)]
    reports = [make_report(monitor, make_result("up")) for monitor in monitors]
    assert store_all(store, *reports).stored == 40
    assert len(store.values(org.uid, "probe_success")) == 20
    assert len(store.values(other.uid, "probe_success")) == 20


def test_text_from_strangers_cannot_break_a_batch(org: Org, store: RecordingStore) -> None:
    monitor = make_monitor(org)
    evidence = {"body": "nul \0 and half \ud800", "nan": math.nan, "many": ["\0"]}
    check(store, monitor, make_result("down", message="a\0b\ud800" * 900, evidence=evidence))
    assert len(state_of(monitor).message) == 1000
    assert StateChange.objects.for_org(org).get().evidence == {
        "body": "nul \ufffd and half ?",
        "nan": "nan",
        "many": ["\ufffd"],
    }


def test_evidence_too_large_is_kept_in_part(org: Org, store: RecordingStore) -> None:
    check(store, make_monitor(org), make_result("down", evidence={"body": "x" * 70_000}))
    kept = StateChange.objects.for_org(org).get().evidence
    assert kept["truncated"] is True
    assert kept["text"].startswith('{"body": "xxx')


def test_the_certificate_expiry_is_remembered(org: Org, store: RecordingStore) -> None:
    monitor = make_monitor(org)
    expires = datetime(2026, 9, 1, tzinfo=START.tzinfo)
    metric = Metric(name="probe_ssl_earliest_cert_expiry", value=expires.timestamp())
    check(store, monitor, make_result("up", metrics=(metric,)))
    check(store, monitor, make_result("down"), at=after(60))
    assert state_of(monitor).certificate_expires_at == expires


def test_the_ring_keeps_the_last_forty(org: Org, store: RecordingStore) -> None:
    monitor = make_monitor(org)
    store_all(
        store,
        *(
            make_report(monitor, make_result("up", duration_s=float(n)), at=after(60 * n))
            for n in range(45)
        ),
    )
    ring = recent_read(state_of(monitor).recent)
    assert [each.duration_s for each in ring] == [float(n) for n in range(5, 45)]


def test_uptime_counts_the_state_that_stood_and_finished_hours_become_rows(
    org: Org, store: RecordingStore
) -> None:
    monitor = make_monitor(org, interval_s=600)
    for minute in range(0, 120, 10):
        state = "down" if 30 <= minute < 60 else "up"
        result = make_result(state, duration_s=0.0)
        check(store, monitor, result, at=after(60 * minute))
    hours = MonitorUptime.objects.for_org(org).order_by("hour_ms")
    assert [(hour.up_s, hour.down_s) for hour in hours] == [(1800.0, 1800.0)]
    uptime = uptime_list(org, monitors=[monitor.pk], now=after(7200))[monitor.pk]["24h"]
    assert (uptime.up_s, uptime.down_s) == (1800.0 + 3000.0, 1800.0)
    assert uptime.ratio == pytest.approx(4800 / 6600)


def test_time_without_results_counts_neither_for_nor_against(
    org: Org, store: RecordingStore
) -> None:
    monitor = make_monitor(org, interval_s=60, timeout_s=10)
    check(store, monitor, make_result("up", duration_s=0.0))
    check(store, monitor, make_result("up", duration_s=0.0), at=after(1800))
    assert state_of(monitor).up_s == pytest.approx(130)


def test_one_result_that_cannot_be_stored_does_not_hold_up_the_others(
    org: Org, store: RecordingStore, caplog: pytest.LogCaptureFixture
) -> None:
    good, bad = make_monitor(org, "good"), make_monitor(org, "bad")
    broken = make_result("up", duration_s="not a number")
    reports = [make_report(good, make_result("up")), make_report(bad, broken)]
    stored = results_store_safely(reports=reports, store=cast("SeriesStore", store))
    assert (stored.stored, stored.fenced) == (1, 1)
    assert state_of(good).state == "up"
    assert state_of(bad).last_check_at is None
    assert "is dropped" in caplog.text
