"""Claims, leases and slots, on SQLite and on PostgreSQL."""

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from apps.monitors.models import Monitor, MonitorSchedule
from apps.monitors.services.schedule import (
    Claim,
    claim_due,
    leases_expire,
    leases_release,
    leases_renew,
    phase_ms,
    schedule_make_due,
    schedule_renew,
    slots_finish,
    slots_skip,
)
from detectviz.clock import to_ms
from detectviz.runtime.shards import Shards
from tests.factories.monitors import START, make_monitor
from tests.factories.orgs import make_org

pytestmark = pytest.mark.usefixtures("database")


def claim(now: datetime, owner: str = "one", **options: Any) -> tuple[Claim, ...]:
    return claim_due(owner=owner, now=now, **{"location": "default", "look_ahead_s": 0, **options})


def row(monitor: Monitor) -> MonitorSchedule:
    found: MonitorSchedule = MonitorSchedule.objects.for_org(monitor.org_id).get(monitor=monitor)
    return found


def finish(claimed: Claim, retry_ms: int | None = None) -> bool:
    done = slots_finish(finished=[(claimed.monitor_id, claimed.epoch, claimed.slot_ms, retry_ms)])
    return claimed.monitor_id in done


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def on_grid(monitor: Monitor) -> datetime:
    """Return a time at which the monitor has a slot, and put it there."""
    schedule = row(monitor)
    slot = to_ms(START) // schedule.interval_ms * schedule.interval_ms + schedule.phase_ms
    schedule.next_due_ms = slot
    schedule.save()
    return datetime.fromtimestamp(slot / 1000, tz=START.tzinfo)


def test_a_new_monitor_is_due_at_once_and_then_on_its_grid() -> None:
    monitor = make_monitor(make_org())
    (first,) = claim(START)
    assert first.slot_ms == to_ms(START)
    schedule = row(monitor)
    assert (schedule.next_due_ms - schedule.phase_ms) % schedule.interval_ms == 0
    wait_ms = schedule.next_due_ms - first.slot_ms
    assert schedule.interval_ms / 2 < wait_ms <= schedule.interval_ms * 1.5


def test_slots_stay_on_the_grid_without_drift() -> None:
    monitor = make_monitor(make_org(), interval_s=10)
    now = on_grid(monitor)
    slots = []
    for _ in range(5):
        (claimed,) = claim(now + timedelta(milliseconds=130))
        assert finish(claimed)
        slots.append(claimed.slot_ms)
        now += timedelta(seconds=10)
    assert [later - earlier for earlier, later in pairwise(slots)] == [10_000] * 4


def test_nothing_is_claimed_twice_or_before_its_time() -> None:
    make_monitor(make_org())
    assert claim(after(-1)) == ()
    assert len(claim(after(-1), look_ahead_s=1.25)) == 1
    assert claim(after(0)) == ()
    assert claim(after(0), owner="two") == ()


def test_paused_and_foreign_locations_are_not_claimed() -> None:
    org = make_org()
    make_monitor(org, "paused", is_enabled=False)
    make_monitor(org, "far", location="far-away")
    assert claim(START) == ()
    assert len(claim(START, location="far-away")) == 1


def test_the_owner_may_claim_the_next_slot_while_the_last_is_in_flight() -> None:
    monitor = make_monitor(make_org(), interval_s=1, timeout_s=1)
    now = on_grid(monitor)
    (first,) = claim(now)
    assert claim(now + timedelta(seconds=1), owner="two") == ()
    (second,) = claim(now + timedelta(seconds=1))
    assert second.slot_ms - first.slot_ms == 1000
    assert finish(first)
    assert row(monitor).lease_owner == "one"
    assert finish(second)
    assert row(monitor).lease_owner == ""


def test_a_check_that_waits_long_in_the_engine_is_not_claimed_again_and_again() -> None:
    monitor = make_monitor(make_org(), interval_s=1, timeout_s=1)
    now = on_grid(monitor)
    claim(now)
    assert claim(now + timedelta(seconds=5)) == ()


def test_an_expired_lease_makes_the_monitor_due_at_once_and_fences_the_old_result() -> None:
    monitor = make_monitor(make_org())
    (lost,) = claim(START)
    assert leases_expire(now=after(39)) == 0
    assert leases_expire(now=after(41)) == 1
    (again,) = claim(after(41), owner="two")
    assert again.epoch == lost.epoch + 1
    assert not finish(lost)
    assert finish(again)
    assert row(monitor).slots_skipped == 0


def test_a_renewed_lease_does_not_expire() -> None:
    monitor = make_monitor(make_org())
    claim(START)
    assert leases_renew(owner="one", monitors=[monitor.pk], now=after(30)) == 1
    assert leases_expire(now=after(60)) == 0
    assert leases_renew(owner="two", monitors=[monitor.pk], now=after(30)) == 0


def test_a_stopping_collector_gives_its_claims_back() -> None:
    make_monitor(make_org())
    claim(START)
    assert leases_release(owner="two", now=after(1)) == 0
    assert leases_release(owner="one", now=after(1)) == 1
    assert len(claim(after(1), owner="two")) == 1


def test_a_slot_too_late_is_skipped_and_counted() -> None:
    monitor = make_monitor(make_org(), interval_s=10)
    now = on_grid(monitor)
    assert slots_skip(now=now + timedelta(seconds=0.9), location="default") == 0
    assert slots_skip(now=now + timedelta(seconds=25), location="default") == 1
    assert claim(now + timedelta(seconds=25)) == ()
    assert row(monitor).slots_skipped == 3
    (claimed,) = claim(now + timedelta(seconds=30))
    assert claimed.slot_ms == to_ms(now + timedelta(seconds=30))


def test_a_slot_hardly_late_is_run() -> None:
    monitor = make_monitor(make_org(), interval_s=60)
    now = on_grid(monitor)
    assert slots_skip(now=now + timedelta(seconds=5), location="default") == 0
    (claimed,) = claim(now + timedelta(seconds=5))
    assert claimed.slot_ms == to_ms(now)
    assert row(monitor).slots_skipped == 0


def test_a_rare_check_is_run_late_rather_than_missed() -> None:
    monitor = make_monitor(make_org(), interval_s=3600)
    now = on_grid(monitor)
    late = now + timedelta(hours=3, minutes=20)
    assert slots_skip(now=late, location="default") == 0
    assert len(claim(late)) == 1
    assert row(monitor).slots_skipped == 3


def test_editing_fences_what_is_in_flight_and_is_due_at_once() -> None:
    monitor = make_monitor(make_org())
    (old,) = claim(START)
    monitor.config_version += 1
    schedule_renew(monitor=monitor, now=after(2))
    assert not finish(old)
    (new,) = claim(after(2), owner="two")
    assert (new.config_version, new.slot_ms) == (2, to_ms(after(2)))


def test_a_result_counts_once() -> None:
    make_monitor(make_org())
    (claimed,) = claim(START)
    assert finish(claimed)
    assert not finish(claimed)


def test_a_retry_comes_before_the_next_slot() -> None:
    monitor = make_monitor(make_org(), interval_s=60)
    now = on_grid(monitor)
    (claimed,) = claim(now)
    assert finish(claimed, to_ms(now + timedelta(seconds=7)))
    assert row(monitor).next_due_ms == to_ms(now + timedelta(seconds=7))
    (retry,) = claim(now + timedelta(seconds=7))
    assert finish(retry)
    assert row(monitor).next_due_ms == to_ms(now + timedelta(seconds=60))


def test_a_push_makes_an_active_monitor_due() -> None:
    org = make_org()
    active = make_monitor(org, "active")
    paused = make_monitor(org, "paused", is_enabled=False)
    claim(START)
    assert schedule_make_due(monitors=[active.pk, paused.pk], now=after(3)) == 1
    assert row(active).next_due_ms == to_ms(after(3))


def test_phases_spread_over_the_interval() -> None:
    tenths = {phase_ms(f"uid-{number}", 60_000) // 6_000 for number in range(200)}
    assert tenths == set(range(10))


def test_each_monitor_is_claimed_by_who_holds_its_shard() -> None:
    org = make_org()
    monitors = [make_monitor(org, name=f"m{number}") for number in range(12)]
    moment = after(3600)
    one = Shards(name="collect:default", count=4, owner="one", held=frozenset({0, 3}))
    two = Shards(name="collect:default", count=4, owner="two", held=frozenset({1, 2}))

    first = {one.monitor_id for one in claim(moment, "one", shards=one)}
    second = {one.monitor_id for one in claim(moment, "two", shards=two)}

    assert {number % 4 for number in first} == {0, 3}
    assert {number % 4 for number in second} == {1, 2}
    assert first | second == {monitor.pk for monitor in monitors}
    assert claim(moment, "three", shards=Shards(name="x", count=4, owner="three")) == ()
