"""Beat sends what is due when it is due, and sleeps until then."""

from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine

from detectviz.celery import gather_schedule
from detectviz.runtime import beat

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What would have been sent, in order; the lease is ours."""
    names: list[str] = []

    def note(self: beat.LeasedScheduler, entry: Any, producer: Any = None) -> None:
        names.append(entry.name)

    monkeypatch.setattr(beat.LeasedScheduler, "apply_entry", note)
    monkeypatch.setattr(beat, "lease_acquire", lambda **_: 1)
    monkeypatch.setattr(beat, "close_old_connections", lambda: None)
    return names


def test_it_sleeps_until_the_next_is_due_and_sends_it_once(sent: list[str]) -> None:
    each_second = sorted(name for name, row in gather_schedule().items() if row["schedule"] == 1)
    with time_machine.travel(START, tick=False) as clock:
        scheduler: Any = beat.beat_service().get_scheduler()
        assert scheduler.tick() > 0
        clock.shift(0.995)
        assert scheduler.tick() == pytest.approx(0.005, abs=1e-4)
        assert sent == []
        clock.shift(0.005)
        for _ in each_second:
            assert scheduler.tick() == 0
        assert sorted(sent) == each_second
        assert scheduler.tick() == pytest.approx(1.0, abs=1e-4)
    assert sorted(sent) == each_second
