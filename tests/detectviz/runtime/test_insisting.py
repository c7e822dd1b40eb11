"""Again until the database takes it."""

import pytest
from django.db import OperationalError, transaction

from detectviz.runtime.insisting import insist


class Work:
    """Fails some times before it succeeds."""

    def __init__(self, failures: int) -> None:
        self.failures, self.tries = failures, 0

    def __call__(self) -> str:
        self.tries += 1
        if self.tries <= self.failures:
            raise OperationalError("deadlock detected")
        return "done"


@pytest.mark.django_db(transaction=True)
def test_what_the_database_refuses_for_a_moment_is_done_again() -> None:
    work = Work(failures=2)
    assert insist(work, within_s=60, pause_s=0.001) == "done"
    assert work.tries == 3


@pytest.mark.django_db(transaction=True)
def test_who_insists_gives_up_in_time() -> None:
    with pytest.raises(OperationalError):
        insist(Work(failures=1000), within_s=0.02, pause_s=0.001)


@pytest.mark.django_db
def test_within_another_transaction_there_is_one_try() -> None:
    work = Work(failures=1)
    with transaction.atomic(), pytest.raises(OperationalError):
        insist(work, within_s=60)
    assert work.tries == 1
