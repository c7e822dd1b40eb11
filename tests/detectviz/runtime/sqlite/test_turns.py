"""Writers of one file take turns: who leaves and wants in again comes after who waits."""

import fcntl
import threading
import time
from pathlib import Path

import pytest

from detectviz.runtime.sqlite.turns import LONGEST_BACK_S, LONGEST_LOOK_S, Turns

LONG_S = 20.0


def is_free(path: Path, lock: str) -> bool:
    with path.with_name(f"{path.name}-{lock}").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def waiting(turns: Turns, order: list[str], name: str) -> threading.Thread:
    def work() -> None:
        turns.enter()
        order.append(name)
        turns.leave()

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_who_leaves_and_comes_back_finds_the_one_who_waited_first(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    mine, other = Turns(path, timeout_s=LONG_S), Turns(path, timeout_s=LONG_S)
    order: list[str] = []
    for _ in range(20):
        order.clear()
        mine.enter()
        thread = waiting(other, order, "other")
        while is_free(path, "door"):
            time.sleep(0.001)
        mine.leave()
        mine.enter()
        order.append("mine")
        mine.leave()
        thread.join(LONG_S)
        assert order == ["other", "mine"]


def test_a_turn_goes_on_until_it_is_left(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    mine, other = Turns(path, timeout_s=LONG_S), Turns(path, timeout_s=LONG_S)
    order: list[str] = []
    mine.enter()
    mine.enter()
    thread = waiting(other, order, "other")
    thread.join(0.05)
    assert order == []
    mine.leave()
    thread.join(LONG_S)
    assert order == ["other"]
    mine.leave()  # nothing is left twice


def test_nobody_waits_longer_than_he_said(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    mine, other = Turns(path, timeout_s=LONG_S), Turns(path, timeout_s=0.01)
    mine.enter()
    other.enter()  # comes back: the database's own lock decides
    other.leave()
    assert not is_free(path, "room")
    assert is_free(path, "door")
    mine.close()  # as when its process dies
    assert is_free(path, "room")


def test_who_had_the_room_for_long_lets_others_to_the_door(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.sqlite"
    long, short = Turns(path, timeout_s=0.05), Turns(path, timeout_s=0.05)
    long.enter()
    time.sleep(LONGEST_BACK_S)
    long.leave()
    short.enter()
    short.leave()
    pauses: list[float] = []
    sleep = time.sleep

    def slept(pause_s: float) -> None:
        pauses.append(pause_s)
        sleep(pause_s)

    monkeypatch.setattr("detectviz.runtime.sqlite.turns.time.sleep", slept)
    with path.with_name(f"{path.name}-door").open("w") as somebody:
        fcntl.flock(somebody, fcntl.LOCK_EX)
        long.enter()
        first_of_long = pauses[0]
        pauses.clear()
        short.enter()
    assert first_of_long == LONGEST_BACK_S
    assert pauses[0] < LONGEST_LOOK_S
