"""Due deliveries reach workers once a turn, soon after their flush, and again if that is lost."""

import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest

from apps.notifications.models import Delivery
from apps.notifications.services.delivery_leases import deliveries_due
from apps.notifications.services.dispatch import dispatch
from apps.notifications.services.flush import MOST_GROUPS
from apps.notifications.services.handover import AGAIN_AFTER, Handover, OnePass
from tests.factories.dispatch import START, World, world_made


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with world_made(monkeypatch) as made:
        yield made


@pytest.mark.django_db
def test_a_turn_is_handed_over_once_and_again_when_nothing_came_of_it(world: World) -> None:
    world.say("a")
    dispatch(now=START)
    dispatch(now=START + timedelta(minutes=1))
    now = START + timedelta(minutes=1)
    ((due, *_),) = deliveries_due(now=now)
    sent: list[list[int]] = []
    hand_over = Handover(sent.append)
    assert [hand_over(now=now), hand_over(now=now)] == [1, 0]
    assert hand_over(now=now + AGAIN_AFTER) == 1
    Delivery.all_orgs.update(next_attempt_at=now + timedelta(seconds=6))
    assert hand_over(now=now + timedelta(seconds=7)) == 1  # its next attempt is another turn
    assert sent == [[due]] * 3


@pytest.mark.django_db
def test_who_is_flushed_first_does_not_wait_for_the_others(world: World) -> None:
    for number in range(2 * MOST_GROUPS + 1):
        world.say(str(number), alertname=f"A{number}")
    dispatch(now=START)
    later = START + timedelta(minutes=1)
    waiting: list[int] = []
    dispatch(now=later, hand_over=lambda: waiting.append(Delivery.all_orgs.count()))
    assert waiting == [MOST_GROUPS, 2 * MOST_GROUPS, 2 * MOST_GROUPS + 1]


def test_one_thread_works_and_whoever_asks_meanwhile_has_it_done_again() -> None:
    runs: list[int] = []
    began, go_on = threading.Event(), threading.Event()

    def work() -> None:
        runs.append(1)
        began.set()
        assert go_on.wait(10)

    one_pass = OnePass(work)
    thread = threading.Thread(target=one_pass)
    thread.start()
    assert began.wait(10)
    one_pass()  # comes back at once
    one_pass()
    assert runs == [1]
    go_on.set()
    thread.join(10)
    assert runs == [1, 1]


def test_work_that_fails_does_not_keep_others_out() -> None:
    def work() -> None:
        raise LookupError

    one_pass = OnePass(work)
    for _ in range(2):
        with pytest.raises(LookupError):
            one_pass()


@pytest.mark.django_db
def test_a_pass_says_when_the_next_group_is_due(world: World) -> None:
    assert dispatch(now=START).next_flush_at is None
    world.say("a")
    assert dispatch(now=START).next_flush_at == START + timedelta(seconds=10)
    flushed_at = START + timedelta(seconds=10)
    assert dispatch(now=flushed_at).next_flush_at == flushed_at + timedelta(minutes=1)
