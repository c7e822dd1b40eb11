"""Real databases of both kinds, for raw SQL and for code with threads of its own."""

from collections.abc import Iterator

import pytest
from django.db import connection, transaction
from pytest_django import DjangoDbBlocker

from detectviz.testing.databases import (
    default_database,
    postgresql_server,
    tables_clear,
    tables_make,
)
from detectviz.testing.migrated import migrated_database

OWN_DATABASES = frozenset({"both_databases", "postgresql_url"})


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out of a run on PostgreSQL what runs on databases of its own in every run."""
    if connection.vendor != "postgresql":
        return
    again = {item for item in items if OWN_DATABASES & set(getattr(item, "fixturenames", ()))}
    config.hook.pytest_deselected(items=list(again))
    items[:] = [item for item in items if item not in again]


@pytest.fixture(scope="session")
def sqlite_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the URL of a SQLite file with our tables."""
    path = tmp_path_factory.mktemp("database") / "detectviz.sqlite"
    migrated_database(path)
    return f"sqlite://{path}"


@pytest.fixture(scope="session")
def postgresql_url(django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """Yield the URL of a private PostgreSQL with our tables."""
    with postgresql_server() as url:
        with django_db_blocker.unblock(), default_database(url):
            tables_make()
        yield url


@pytest.fixture(
    scope="module",
    params=[
        "sqlite",
        pytest.param(
            "postgresql",
            marks=[pytest.mark.postgres, pytest.mark.services("initdb", "postgres")],
        ),
    ],
)
def both_databases(
    request: pytest.FixtureRequest, django_db_blocker: DjangoDbBlocker
) -> Iterator[str]:
    """Run the module on SQLite, then on PostgreSQL; every thread sees the same database."""
    url = request.getfixturevalue(f"{request.param}_url")
    with django_db_blocker.unblock(), default_database(url):
        yield request.param


@pytest.fixture
def database(both_databases: str) -> Iterator[str]:
    """Give one test an empty database of either kind; what it writes is rolled back."""
    with transaction.atomic():
        yield both_databases
        transaction.set_rollback(True)


@pytest.fixture
def shared_database(both_databases: str) -> Iterator[str]:
    """Give one test an empty database of either kind that its threads see too."""
    yield both_databases
    tables_clear()
