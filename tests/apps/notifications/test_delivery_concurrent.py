"""Workers at once, on both databases: one probes an open endpoint, and no token is taken twice."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest
from django.db import connections

from apps.notifications.services.endpoints import Endpoint, endpoint_enter, endpoint_leave
from apps.notifications.services.rate_limits import parse_rate_limit
from tests.factories.orgs import make_org

WORKERS = 4
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def let_in(endpoint: Endpoint, at: datetime) -> int:
    """Return how many of the workers, who come at once, may call the endpoint."""
    barrier = Barrier(WORKERS)

    def enter() -> bool:
        barrier.wait()
        try:
            return endpoint_enter(endpoint=endpoint, now=at) is None
        finally:
            connections.close_all()

    with ThreadPoolExecutor(WORKERS) as pool:
        return sum(done.result() for done in [pool.submit(enter) for _ in range(WORKERS)])


@pytest.mark.usefixtures("shared_database")
def test_one_worker_probes_an_endpoint_that_may_be_back() -> None:
    endpoint = Endpoint(org_id=make_org().pk, notifier="webhook", address="h:9", limit=None)
    for _ in range(5):
        endpoint_leave(
            endpoint=endpoint, reason="serverError", error="down", retry_after_s=None, now=NOW
        )
    assert let_in(endpoint, NOW) == 0
    assert let_in(endpoint, NOW + timedelta(seconds=31)) == 1


@pytest.mark.usefixtures("shared_database")
def test_workers_share_one_bucket() -> None:
    limit = parse_rate_limit("2/1m")
    endpoint = Endpoint(org_id=make_org().pk, notifier="webhook", address="ops/x", limit=limit)
    assert let_in(endpoint, NOW) == 2
    assert let_in(endpoint, NOW + timedelta(seconds=31)) == 1
