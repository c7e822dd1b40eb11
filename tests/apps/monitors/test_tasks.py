"""Ticks."""

from collections.abc import Mapping
from typing import Any

import pytest

from apps.monitors.services.collection import collection_wake
from detectviz.celery import gather_schedule
from detectviz.runtime import signals


def test_the_tick_wakes_whoever_hosts_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []

    def send(target: str, payload: Mapping[str, Any]) -> None:
        sent.append(target)

    monkeypatch.setattr(signals, "send", send)
    collection_wake()
    assert sent == ["collector"]


def test_the_tasks_are_in_beats_schedule() -> None:
    schedule = gather_schedule()
    assert schedule["monitors.collect"]["options"] == {"queue": "collect", "expires": 1}
    assert {"monitors.prune", "series.maintain"} <= set(schedule)
