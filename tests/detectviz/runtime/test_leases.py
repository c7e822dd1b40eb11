"""One holder at a time."""

import subprocess
from datetime import timedelta

import pytest

from detectviz.clock import utc_now
from detectviz.runtime.leases import (
    lease_acquire,
    lease_forget,
    lease_release,
    owner_is_gone,
    owners_gone,
    process_owner,
)

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


def owner_of(pid: int) -> str:
    """Return a holder on this machine with another process."""
    machine, _, _ = process_owner().rpartition("/")
    namespace = process_owner().rpartition("/")[2].partition(":")[0]
    return f"{machine}/{namespace}:{pid}:0badcafe"


def pid_of_the_dead() -> int:
    with subprocess.Popen(["true"]) as process:
        process.wait()
    return process.pid


def test_only_who_certainly_runs_no_more_is_gone() -> None:
    dead = owner_of(pid_of_the_dead())
    elsewhere = "other/" + dead.rpartition("/")[2]
    assert owner_is_gone(dead)
    assert not owner_is_gone(process_owner())
    assert not owner_is_gone(owner_of(1))
    assert not owner_is_gone(elsewhere)
    assert not owner_is_gone("host:17:0badcafe")  # written before namespaces were noted
    assert not owner_is_gone("")
    assert owners_gone([dead, process_owner(), dead]) == [dead]


def test_a_lease_of_the_dead_is_free_at_once() -> None:
    dead = owner_of(pid_of_the_dead())
    assert acquire(dead) == 1
    assert acquire("b", 1) == 2
    assert acquire(dead, 2) is None
