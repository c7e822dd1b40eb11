"""One holder at a time."""

from datetime import timedelta

import pytest

from detectviz.clock import utc_now
from detectviz.runtime.leases import lease_acquire, lease_forget, lease_release

pytestmark = pytest.mark.django_db
NOW = utc_now()


def acquire(owner: str, after_s: float = 0) -> int | None:
    return lease_acquire(name="beat", owner=owner, ttl_s=8, now=NOW + timedelta(seconds=after_s))


def test_a_lease_has_one_holder_until_it_expires() -> None:
    assert acquire("a") == 1
    assert acquire("b") is None
    assert acquire("a", 5) == 1
    assert acquire("b", 10) is None
    assert acquire("b", 14) == 2
    assert acquire("a", 15) is None


def test_a_holder_that_overslept_gets_a_new_epoch() -> None:
    assert acquire("a") == 1
    assert acquire("a", 100) == 2


def test_a_released_lease_is_free_at_once() -> None:
    acquire("a")
    lease_release(name="beat", owner="a")
    assert acquire("b", 1) == 2


def test_a_forgotten_lease_is_free_at_once() -> None:
    assert acquire("a") == 1
    lease_forget(name="beat")
    assert acquire("b", 1) == 2
