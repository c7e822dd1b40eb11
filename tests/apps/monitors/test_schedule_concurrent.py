"""Several collectors at once, on SQLite and on PostgreSQL."""

import threading

import pytest
from django.db import connection

from apps.monitors.services.schedule import Claim, claim_due
from tests.factories.monitors import START, make_monitor
from tests.factories.orgs import make_org

pytestmark = pytest.mark.usefixtures("shared_database")


def test_concurrent_claimers_never_share_a_slot() -> None:
    org = make_org()
    for number in range(120):
        make_monitor(org, f"m-{number}", uid=f"{number:020d}")
    claimed: list[Claim] = []
    lock = threading.Lock()
    start = threading.Barrier(4)

    def work(owner: str) -> None:
        start.wait()
        try:
            while found := claim_due(owner=owner, now=START, location="default", limit=7):
                with lock:
                    claimed.extend(found)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(f"owner-{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    keys = [each.monitor_id for each in claimed]
    assert len(keys) == len(set(keys)) == 120
