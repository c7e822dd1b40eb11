"""Two dispatchers at once, on both databases: one row for each alert, and nobody told twice."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier

import pytest
from django.db import connections

from apps.notifications.models import Delivery, SuppressionEntry
from apps.notifications.services.dispatch import dispatch
from apps.notifications.services.silences import SilenceDraft, silence_write
from tests.factories.dispatch import world_made

ALERTS = 20


@pytest.mark.usefixtures("shared_database")
def test_two_dispatchers_write_each_reason_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with world_made(monkeypatch) as world:
        draft = SilenceDraft(
            matcher_sets=[['quiet="yes"']],
            starts_at=world.now,
            ends_at=world.now + timedelta(hours=1),
        )
        silence_write(
            org=world.org, name="quiet", draft=draft, instance=None, actor=None, now=world.now
        )
        for number in range(ALERTS):
            world.say(f"q{number}", quiet="yes")
            world.say(f"t{number}", quiet="no")
        for seconds in (1, 12, 80):
            both_dispatch(world.now + timedelta(seconds=seconds))
    rows = SuppressionEntry.objects.for_org(world.org)
    assert rows.count() == ALERTS
    assert {row.kind for row in rows} == {"silence"}
    assert all(row.ended_at is None for row in rows)
    (told,) = Delivery.objects.for_org(world.org)
    assert len(told.firing) == ALERTS


def both_dispatch(now: datetime) -> None:
    barrier = Barrier(2)

    def run() -> None:
        barrier.wait()
        try:
            dispatch(now=now)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(run), pool.submit(run)]:
            done.result()
