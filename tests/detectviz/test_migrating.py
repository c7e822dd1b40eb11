"""The squashed migrations make what the original ones made, and go on where those stopped."""

import gc
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from functools import cache
from pathlib import Path
from unittest.mock import patch

import psycopg
import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.db.migrations.state import ProjectState
from pytest_django import DjangoDbBlocker

from detectviz.testing.databases import default_database, postgresql_server

Key = tuple[str, str]
Schema = list[tuple[str, ...]]

_CATALOGUE = """
    SELECT 'column', tables.relname, columns.attnum::text, columns.attname::text,
        concat(format_type(columns.atttypid, columns.atttypmod), columns.attnotnull,
            columns.attidentity, pg_get_expr(defaults.adbin, defaults.adrelid))
    FROM pg_class AS tables
    JOIN pg_attribute AS columns ON columns.attrelid = tables.oid AND columns.attnum > 0
    LEFT JOIN pg_attrdef AS defaults
        ON defaults.adrelid = tables.oid AND defaults.adnum = columns.attnum
    WHERE tables.relnamespace = 'public'::regnamespace AND tables.relkind = 'r'
    UNION ALL SELECT 'constraint', conrelid::regclass::text, '', conname, pg_get_constraintdef(oid)
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    UNION ALL SELECT 'index', tablename, '', indexname, indexdef
    FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL SELECT 'trigger', tgrelid::regclass::text, '', tgname, pg_get_triggerdef(oid)
    FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT 'relation', relkind::text, '', relname, ''
    FROM pg_class WHERE relnamespace = 'public'::regnamespace
"""


def test_the_squashed_migrations_describe_the_models_the_original_ones_described() -> None:
    assert (
        _loader(()).project_state(_squashed()).models == _whole().project_state(_originals()).models
    )


def test_whatever_was_the_last_original_to_run_the_rest_leads_to_the_same_models() -> None:
    order = _in_order(_whole(), _originals())
    end = _whole().project_state(order).models
    for count in range(1, len(order) + 1):
        loader = _loader(order[:count])
        state, known = ProjectState(), set(order[:count])
        for key in [*order[:count], *_in_order(loader, _ends(loader), known)]:
            migration = _whole().disk_migrations[key]
            assert not known.intersection(migration.replaces), key
            state = migration.mutate_state(state, preserve=False)
        assert state.models == end, order[count - 1]


@pytest.mark.timeout(300)  # every original migration is run
def test_on_sqlite_both_make_the_same_schema(
    tmp_path: Path, django_db_blocker: DjangoDbBlocker
) -> None:
    old, new, stopped = (tmp_path / f"{name}.sqlite" for name in ("old", "new", "stopped"))
    order = _in_order(_whole(), _originals())
    with django_db_blocker.unblock():
        with default_database(f"sqlite://{new}"):
            MigrationExecutor(connection).migrate(_squashed())
            MigrationExecutor(connection).migrate([("oncall", None)])
            MigrationExecutor(connection).migrate(_squashed())  # there, back and there again
        with default_database(f"sqlite://{old}"):
            _run_originals(_originals())
            assert not _missing()
        with default_database(f"sqlite://{stopped}"):
            _run_originals(order[: order.index(("datasources", "0002_prunable"))])
            MigrationExecutor(connection).migrate(_ends(MigrationLoader(connection)))
            assert not _missing()
    made = _sqlite_schema(new)
    assert _sqlite_schema(old) == made
    assert _sqlite_schema(stopped) == made


@pytest.mark.services("initdb", "postgres")
@pytest.mark.timeout(300)
def test_on_postgresql_both_make_the_same_schema(django_db_blocker: DjangoDbBlocker) -> None:
    with postgresql_server() as url, django_db_blocker.unblock():
        with psycopg.connect(url, autocommit=True) as session:
            session.execute("CREATE DATABASE old")
        with default_database(url):
            MigrationExecutor(connection).migrate(_squashed())
        old = f"{url.removesuffix('/test')}/old"
        with default_database(old):
            _run_originals(_originals())
            assert not _missing()
        assert _postgresql_schema(old) == _postgresql_schema(url)


@cache
def _whole() -> MigrationLoader:
    """Return what is on disk, the squashed and the original ones side by side."""
    return MigrationLoader(None, replace_migrations=False)


def _loader(applied: Iterable[Key]) -> MigrationLoader:
    """Return what Django sees where ``applied`` have run; raise if they do not fit."""
    rows = {key: _whole().disk_migrations[key] for key in applied}
    with patch.object(MigrationRecorder, "applied_migrations", side_effect=rows.copy):
        loader = MigrationLoader(connection)
        loader.check_consistent_history(connection)
    return loader


def _replaced() -> dict[Key, Key]:
    """Return the last original migration by the squashed one that stands for it."""
    found = _whole().disk_migrations
    return {key: migration.replaces[-1] for key, migration in found.items() if migration.replaces}


def _squashed() -> list[Key]:
    return [*_replaced(), *_foreign()]


def _originals() -> list[Key]:
    return [*_replaced().values(), *_foreign()]


def _foreign() -> list[Key]:
    """Return the last migrations of packages, which every database gets as they are."""
    ours = {app for app, _ in _replaced()}
    return [key for key in _whole().graph.leaf_nodes() if key[0] not in ours]


def _ends(loader: MigrationLoader) -> list[Key]:
    """Return what brings a database as far as the squashed migrations do, and no further."""
    nodes = loader.graph.nodes
    return [new if new in nodes else old for new, old in _replaced().items()] + _foreign()


def _in_order(
    loader: MigrationLoader, targets: Iterable[Key], known: Iterable[Key] = ()
) -> list[Key]:
    done = set(known) | set(loader.applied_migrations)
    steps = (key for target in targets for key in loader.graph.forwards_plan(target))
    return list(dict.fromkeys(key for key in steps if key not in done))


def _run_originals(targets: list[Key]) -> None:
    """Migrate as before there were squashed ones.

    Half of the time would go into collecting the garbage of thousands of rendered models.
    """
    executor = MigrationExecutor(connection)
    executor.loader = MigrationLoader(connection, replace_migrations=False)
    gc.disable()
    try:
        executor.migrate(targets)
    finally:
        gc.enable()
    connection.cursor().execute(
        "DELETE FROM django_migrations WHERE name LIKE %s", ["0001_squashed_%"]
    )


def _missing() -> list[str]:
    """Return which of the squashed migrations Django would still run."""
    loader = MigrationLoader(connection)
    return [f"{key}" for key in _in_order(loader, _ends(loader))]


def _sqlite_schema(path: Path) -> Schema:
    """Return tables, indexes and triggers; in any order, for altering moves a column to the end."""
    with closing(sqlite3.connect(path)) as database:
        rows = database.execute("SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_master")
        return sorted((*row[:3], *sorted(_parts(row[3]))) for row in rows)


def _parts(statement: str) -> list[str]:
    """Split ``CREATE TABLE (…)`` at its outer commas."""
    found, depth = [""], 0
    for sign in statement.removesuffix(")"):
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if depth == 1 and sign in "(,":
            found.append("")
        else:
            found[-1] += sign
    return [part.strip() for part in found]


def _postgresql_schema(url: str) -> Schema:
    with psycopg.connect(url) as session:
        return sorted(session.execute(_CATALOGUE).fetchall())
