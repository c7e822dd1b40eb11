"""One process migrates, whoever else starts waits for it."""

import threading
from collections.abc import Callable

import pytest
from django.db import connection, connections
from pytest_django import DjangoDbBlocker

from apps.operations.errors import StartupError
from apps.operations.services import schema
from apps.orgs.models import Org
from detectviz.testing.databases import default_database, postgresql_server

WAIT_S = 60.0


def test_a_database_that_never_answers_is_named_with_the_variable(
    django_db_blocker: DjangoDbBlocker,
) -> None:
    with (
        django_db_blocker.unblock(),
        default_database("postgresql://nobody@127.0.0.1:1/none"),
        pytest.raises(StartupError, match="DETECTVIZ_DATABASE_URL"),
    ):
        schema.database_await(timeout_s=0)


@pytest.mark.django_db
def test_a_current_schema_is_not_waited_for() -> None:
    said: list[str] = []
    schema.schema_await(say=said.append, timeout_s=0)
    assert said == []


@pytest.mark.django_db
def test_a_schema_nobody_makes_is_an_error_that_says_who_should(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(schema, "schema_missing", lambda: ["orgs.0001_initial"])
    said: list[str] = []
    with pytest.raises(StartupError, match=r"orgs\.0001_initial.*--app web"):
        schema.schema_await(say=said.append, timeout_s=0)
    assert said == ["Waiting for `detectviz up --app web` to run 1 migrations …"]


@pytest.mark.postgres
@pytest.mark.services("initdb", "postgres")
def test_two_first_starts_at_once_migrate_once_and_a_third_process_waits(
    django_db_blocker: DjangoDbBlocker,
) -> None:
    with (
        django_db_blocker.unblock(),
        postgresql_server() as url,
        default_database(url),
    ):
        schema.database_await()
        said: list[str] = []
        failed: list[BaseException] = []
        waiter = _thread(lambda: schema.schema_await(say=lambda _: None, timeout_s=WAIT_S), failed)
        preparers = [_thread(lambda: _prepare(said), failed) for _ in range(2)]
        for thread in [*preparers, waiter]:
            thread.join(WAIT_S)
            assert not thread.is_alive()
        assert failed == []
        assert said == ["Preparing the database …"]
        assert Org.objects.count() == 0
        assert schema.schema_missing() == []


@pytest.mark.postgres
@pytest.mark.services("initdb", "postgres")
def test_a_preparer_that_fails_gives_the_lock_back(
    django_db_blocker: DjangoDbBlocker,
) -> None:
    with (
        django_db_blocker.unblock(),
        postgresql_server() as url,
        default_database(url),
    ):
        schema.database_await()
        with pytest.raises(ZeroDivisionError), schema.schema_lock():
            _ = 1 / 0
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")
            assert cursor.fetchone() == (0,)


def _prepare(said: list[str]) -> None:
    with schema.schema_lock():
        schema.schema_migrate(say=said.append)


def _thread(action: Callable[[], None], failed: list[BaseException]) -> threading.Thread:
    def run() -> None:
        try:
            action()
        except BaseException as error:  # noqa: BLE001 - reported by the test's own thread
            failed.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread
