"""What open pages are told."""

from collections.abc import Mapping
from typing import Any

import pytest

from apps.monitors.services.pages import PageTeller
from apps.monitors.services.reports import CheckPlan
from apps.monitors.services.results import StoredResults
from apps.monitors.services.states import Policy
from detectviz.events.types import MonitorStateChanged
from detectviz.runtime import signals
from tests.factories.monitors import START


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, str]]:
    messages: list[tuple[int, str]] = []

    def send(target: str, payload: Mapping[str, Any]) -> None:
        assert (target, payload["event"]) == ("web", "monitor")
        messages.append((payload["org"], payload["data"].get("name", "")))

    monkeypatch.setattr(signals, "send", send)
    return messages


def plan(monitor_id: int, org_id: int = 1) -> CheckPlan:
    return CheckPlan(
        monitor_id=monitor_id,
        config_version=1,
        org_id=org_id,
        tenant="t",
        name=f"m-{monitor_id}",
        type="probe",
        base_labels={},
        policy=Policy(),
        interval_s=1,
        timeout_s=1,
    )


def stored(*plans: CheckPlan, changed: tuple[int, ...] = ()) -> StoredResults:
    events = tuple(
        MonitorStateChanged(
            org_id=each.org_id,
            monitor_id=each.monitor_id,
            name=each.name,
            previous="up",
            state="down",
            message="",
            at=START,
        )
        for each in plans
        if each.monitor_id in changed
    )
    return StoredResults(
        stored=len(plans), fenced=0, samples=0, transitions=events, plans=tuple(plans)
    )


def test_plain_results_are_told_every_ten_seconds_and_transitions_always(
    sent: list[tuple[int, str]],
) -> None:
    now = [0.0]
    teller = PageTeller(monotonic=lambda: now[0])
    teller.tell(stored(plan(1)))
    teller.tell(stored(plan(1)))
    assert sent == [(1, "m-1")]
    teller.tell(stored(plan(1), changed=(1,)))
    assert len(sent) == 2
    now[0] = 10.0
    teller.tell(stored(plan(1)))
    assert len(sent) == 3


def test_many_at_once_are_one_event_per_org(sent: list[tuple[int, str]]) -> None:
    crowd = [plan(number) for number in range(60)]
    PageTeller().tell(stored(*crowd, plan(100, org_id=2)))
    assert sent == [(1, ""), (2, "m-100")]
