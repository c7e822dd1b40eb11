"""Files of tests reach the workers in an order that keeps all of them busy."""

from pathlib import Path

from tests.scheduling import LONG, PRODUCTS, unit_next

ROOT = Path(__file__).resolve().parents[2]
WAITING = ("tests/apps/test_bad_input.py", "tests/e2e/test_pages.py", "tests/faults/test_kills.py")


def test_the_first_worker_runs_products_and_the_others_the_rest() -> None:
    assert unit_next(WAITING, is_first=True) == "tests/e2e/test_pages.py"
    assert unit_next(WAITING, is_first=False) == "tests/apps/test_bad_input.py"


def test_who_has_nothing_of_its_own_left_helps_its_neighbour() -> None:
    assert unit_next(WAITING[:1], is_first=True) == "tests/apps/test_bad_input.py"
    assert unit_next(WAITING[1:], is_first=False) == "tests/e2e/test_pages.py"


def test_of_its_own_a_worker_runs_long_files_first_and_else_those_of_many_tests() -> None:
    waiting = (
        "tests/apps/test_bad_input.py",
        "tests/apps/test_demo.py",
        LONG[-1] + "test_kafka.py",
    )
    assert unit_next(waiting, is_first=False) == waiting[2]
    assert unit_next(waiting[:2], is_first=False) == waiting[0]


def test_every_file_that_is_told_apart_is_there() -> None:
    assert [place for place in (*PRODUCTS, *LONG) if not (ROOT / place).exists()] == []
