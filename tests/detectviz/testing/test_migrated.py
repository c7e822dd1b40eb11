"""The database tests begin with is the one the migrations make."""

import sqlite3
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from pytest_django import DjangoDbBlocker

from detectviz.testing.databases import default_database
from detectviz.testing.migrated import migrated_database


@pytest.mark.django_db
def test_nothing_is_left_to_migrate() -> None:
    executor = MigrationExecutor(connection)
    assert executor.migration_plan(executor.loader.graph.leaf_nodes()) == []
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def test_it_is_the_database_of_all_migrations_run_one_by_one(
    tmp_path: Path, django_db_blocker: DjangoDbBlocker
) -> None:
    made, copied = tmp_path / "made.sqlite", tmp_path / "copied.sqlite"
    migrated_database(copied)
    with django_db_blocker.unblock(), default_database(f"sqlite://{made}"):
        call_command("migrate", verbosity=0, interactive=False)
    assert _tables(copied) == _tables(made)


def _tables(path: Path) -> list[tuple[str, int]]:
    database = sqlite3.connect(path)
    names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE sql > ''")]
    rows = [
        (name, database.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0])
        for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    ]
    database.close()
    return sorted([*rows, *((name, -1) for name in names)])
