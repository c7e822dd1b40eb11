"""Shards are shared out fairly, move when somebody comes or goes, and are never held twice."""

from datetime import UTC, datetime, timedelta

import pytest

from detectviz.runtime.shards import Shards

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 1, 1, tzinfo=UTC)
COUNT = 7


class Group:
    """Some who share ``COUNT`` shards."""

    def __init__(self) -> None:
        self.members: list[Shards] = []
        self.now = NOW

    def join(self) -> Shards:
        member = Shards(name="collect:x", count=COUNT, owner=f"host:{len(self.members)}")
        self.members.append(member)
        return member

    def pass_time(self, seconds: float) -> None:
        for _ in range(round(seconds)):
            self.now += timedelta(seconds=1)
            for member in self.members:
                member.tick(self.now)
            held = [shard for member in self.members for shard in member.held]
            assert len(held) == len(set(held))


def test_one_alone_holds_all() -> None:
    group = Group()
    alone = group.join()
    group.pass_time(1)
    assert alone.held == frozenset(range(COUNT))


def test_a_newcomer_gets_its_part_within_seconds_and_the_rest_stays() -> None:
    group = Group()
    first = group.join()
    group.pass_time(3)
    second = group.join()
    group.pass_time(5)
    assert sorted([len(first.held), len(second.held)]) == [3, 4]
    assert first.held | second.held == frozenset(range(COUNT))
    before = first.held
    group.pass_time(20)
    assert first.held == before


def test_what_a_dead_one_held_is_taken_over_within_ten_seconds() -> None:
    group = Group()
    first, second = group.join(), group.join()
    group.pass_time(5)
    assert second.held
    group.members.remove(second)
    group.pass_time(10)
    assert first.held == frozenset(range(COUNT))


def test_those_who_share_something_else_do_not_count() -> None:
    elsewhere = Shards(name="collect:y", count=COUNT, owner="host:9")
    elsewhere.tick(NOW)
    group = Group()
    alone = group.join()
    group.pass_time(3)
    assert alone.held == elsewhere.held == frozenset(range(COUNT))


def test_what_is_given_back_is_free_at_once() -> None:
    group = Group()
    first, second = group.join(), group.join()
    group.pass_time(5)
    second.release()
    group.members.remove(second)
    group.pass_time(2)
    assert first.held == frozenset(range(COUNT))
