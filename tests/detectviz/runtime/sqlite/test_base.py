"""A turn begins with what writes and ends with it, whatever comes in between."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from django.db import IntegrityError, connection, transaction

from tests.detectviz.runtime.sqlite.test_turns import is_free

pytestmark = pytest.mark.django_db(transaction=True)
INSERT = "INSERT INTO known VALUES (%s)"


@pytest.fixture(autouse=True)
def table() -> Iterator[None]:
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL locks rows, not the database")
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE known (name TEXT UNIQUE)")
    yield
    connection.close()


def has_turn() -> bool:
    return not is_free(Path(connection.settings_dict["NAME"]), "room")


def test_a_statement_ends_its_turn() -> None:
    with connection.cursor() as cursor:
        cursor.execute(INSERT, ["a"])
        assert not has_turn()
        with pytest.raises(IntegrityError):
            cursor.execute(INSERT, ["a"])
    assert not has_turn()


def test_a_transaction_has_its_turn_until_it_ends() -> None:
    with transaction.atomic():
        assert has_turn()
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(INSERT, ["a"])
        assert has_turn()
    assert not has_turn()
    with suppress(ZeroDivisionError), transaction.atomic():
        assert has_turn()
        _ = 1 / 0
    assert not has_turn()


def test_a_connection_that_closes_has_no_turn_left() -> None:
    with suppress(RuntimeError), transaction.atomic():
        connection.close()
        assert not has_turn()
        raise RuntimeError
    with transaction.atomic():
        assert has_turn()
    assert not has_turn()
