"""A periodic task that runs at a time of its own, between two ticks."""

from datetime import timedelta
from typing import Any

import pytest

from detectviz.celery import app
from detectviz.clock import utc_now
from detectviz.runtime import wakeups
from detectviz.runtime.wakeups import SOONEST_S, wake_at

DISPATCH = "notifications.dispatch"  # each second
REMIND = "notifications.remind"  # each 30 seconds


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What was sent; no run is ahead that another test asked for."""
    monkeypatch.setattr(wakeups, "_ahead", {})
    found: list[dict[str, Any]] = []
    monkeypatch.setattr(app, "send_task", lambda name, **given: found.append({"": name, **given}))
    return found


def test_it_runs_at_its_time(sent: list[dict[str, Any]]) -> None:
    wake_at(DISPATCH, utc_now() + timedelta(seconds=0.7))

    (task,) = sent
    assert task[""] == "apps.notifications.tasks.dispatch"
    assert task["queue"] == "notify"
    assert 0.2 < task["countdown"] <= 0.7


def test_what_is_due_already_runs_soon_and_not_in_a_loop(sent: list[dict[str, Any]]) -> None:
    wake_at(DISPATCH, utc_now() - timedelta(minutes=1))

    assert [task["countdown"] for task in sent] == [SOONEST_S]


def test_whoever_asks_beside_a_run_that_is_ahead_begins_no_chain_of_his_own(
    sent: list[dict[str, Any]],
) -> None:
    now = utc_now()
    for seconds in (9.0, 9.0, 12.0, 6.0, 7.0, 9.0):
        wake_at(REMIND, now + timedelta(seconds=seconds))

    assert [round(task["countdown"]) for task in sent] == [9, 6]


def test_what_a_tick_comes_before_is_left_to_it(sent: list[dict[str, Any]]) -> None:
    wake_at(DISPATCH, utc_now() + timedelta(minutes=1))

    assert sent == []
