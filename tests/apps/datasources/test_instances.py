"""What plugins keep between calls."""

import threading
from collections.abc import Callable

import pytest

from apps.datasources.services.instances import InstancePool


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def closed() -> list[str]:
    return []


def making(value: str, made: list[str]) -> Callable[[], str]:
    def make() -> str:
        made.append(value)
        return value

    return make


def test_calls_of_one_version_share_what_was_made_first(closed: list[str]) -> None:
    pool, made = InstancePool(), list[str]()
    first, second = pool.lease((1, "a", 1)), pool.lease((1, "a", 1))

    assert first.get(making("x", made), closed.append) == "x"
    assert second.get(making("y", made), closed.append) == "x"
    assert made == ["x"]


def test_a_new_version_closes_the_old_one_but_not_under_a_call(closed: list[str]) -> None:
    pool = InstancePool()
    old = pool.lease((1, "a", 1))
    old.get(lambda: "old", closed.append)

    new = pool.lease((1, "a", 2))
    new.get(lambda: "new", closed.append)

    assert closed == []
    del old
    assert closed == ["old"]


def test_other_datasources_and_orgs_are_left_alone(closed: list[str]) -> None:
    pool = InstancePool()
    for key in ((1, "a", 1), (1, "b", 1), (2, "a", 1)):
        pool.lease(key).get(lambda: "x", closed.append)

    pool.retire(1, "a")

    assert closed == ["x"]
    assert len(pool) == 2


def test_what_is_idle_for_long_is_closed(closed: list[str]) -> None:
    clock = Clock()
    pool = InstancePool(idle_s=60, clock=clock)
    pool.lease((1, "idle", 1)).get(lambda: "idle", closed.append)
    busy = pool.lease((1, "busy", 1))
    busy.get(lambda: "busy", closed.append)
    clock.now = 61

    assert pool.sweep() == 1
    assert closed == ["idle"]
    pool.close()


def test_there_are_never_more_than_the_bound_once_calls_are_over(closed: list[str]) -> None:
    clock = Clock()
    pool = InstancePool(most_kept=2, clock=clock)
    leases = [pool.lease((1, str(number), 1)) for number in range(4)]
    for number, lease in enumerate(leases):
        lease.get(lambda number=number: str(number), closed.append)  # type: ignore[misc]  # a default binds the number
        clock.now += 1
    assert closed == []
    lease = leases[0]
    while leases:
        leases.pop(0)
        del lease
        lease = leases[0] if leases else pool.lease((9, "z", 1))

    assert len(pool) == 2
    pool.close()
    assert sorted(closed) == ["0", "1", "2", "3"]


def test_a_factory_that_fails_leaves_nothing_and_the_next_call_tries_again(
    closed: list[str],
) -> None:
    pool = InstancePool()

    def fail() -> str:
        raise OSError("refused")

    first = pool.lease((1, "a", 1))
    with pytest.raises(OSError, match="refused"):
        first.get(fail, closed.append)
    assert first.get(lambda: "x", closed.append) == "x"
    other = pool.lease((1, "b", 1))
    with pytest.raises(OSError, match="refused"):
        other.get(fail, closed.append)
    del other
    assert len(pool) == 1
    assert closed == []


def test_threads_that_come_at_once_get_one_value() -> None:
    pool, made, closed = InstancePool(), list[int](), list[int]()
    start = threading.Barrier(8)

    def make() -> int:
        made.append(1)
        return len(made)

    def call() -> None:
        start.wait()
        pool.lease((1, "a", 1)).get(make, closed.append)

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert made == [1]
    pool.close()
    assert closed == [1]


def test_a_close_that_fails_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    pool = InstancePool()

    def fail(value: str) -> None:
        raise OSError("still busy")

    pool.lease((1, "a", 1)).get(lambda: "x", fail)
    pool.close()

    assert "could not close" in caplog.text
