"""An edit of the tree and a dispatcher at once, on PostgreSQL: every group goes by the new tree."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections, transaction
from pytest_django import DjangoDbBlocker

from apps.notifications.models import AlertGroup, RoutedAlert
from apps.notifications.selectors import routing_tree_get
from apps.notifications.services import dispatch as dispatching
from apps.notifications.services.configuration import routing_tree_write
from detectviz.testing.databases import default_database, tables_clear
from tests.factories.dispatch import World, world_made

pytestmark = [pytest.mark.postgres, pytest.mark.services("initdb", "postgres")]
LONGEST_S = 30.0
OLD, NEW = 10_000, 60_000  # how groups of either tree are recognised


@pytest.fixture
def world(
    postgresql_url: str, django_db_blocker: DjangoDbBlocker, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    with django_db_blocker.unblock(), default_database(postgresql_url):
        with world_made(monkeypatch) as made:
            write_tree(made, OLD)
            yield made
        tables_clear()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as made:
        yield made


def write_tree(world: World, group_wait_ms: int) -> None:
    tree = routing_tree_get(org=world.org)
    assert tree is not None
    root = {**tree.root, "group_wait": f"{group_wait_ms}ms"}
    routing_tree_write(org=world.org, name="default", root=root, instance=tree)


def waits_of(world: World) -> dict[str, list[int]]:
    """Return the waits of the groups of each alert."""
    rows = RoutedAlert.objects.for_org(world.org)
    return {row.fingerprint: [one.group_wait_ms for one in row.groups.all()] for row in rows}


def dispatch_at(world: World, seconds: float) -> None:
    dispatching.dispatch(now=world.now + timedelta(seconds=seconds))


def test_an_alert_that_comes_while_the_tree_is_edited_goes_by_the_new_one(
    world: World, pool: ThreadPoolExecutor
) -> None:
    is_written, may_commit = threading.Event(), threading.Event()

    def edit() -> None:
        try:
            with transaction.atomic():
                write_tree(world, NEW)
                is_written.set()
                assert may_commit.wait(LONGEST_S)
        finally:
            connections.close_all()

    world.say("first")
    dispatch_at(world, 1)
    edited = pool.submit(edit)
    assert is_written.wait(LONGEST_S)
    world.say("second", job="new")
    dispatch_at(world, 2)
    assert waits_of(world)["second"] == []
    may_commit.set()
    edited.result(LONGEST_S)
    dispatch_at(world, 3)
    assert waits_of(world) == {"first": [NEW], "second": [NEW]}


def test_an_edit_waits_for_who_routes_by_the_old_tree_and_routes_anew_what_he_did(
    world: World, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, edits = dispatching.places_of, list[Any]()
    is_writing = threading.Event()

    def edit() -> None:
        try:
            is_writing.set()
            write_tree(world, NEW)
        finally:
            connections.close_all()

    def places_of(*args: Any) -> Any:
        if not edits:
            edits.append(pool.submit(edit))
            assert is_writing.wait(LONGEST_S)
        return original(*args)

    monkeypatch.setattr(dispatching, "places_of", places_of)
    world.say("first")
    dispatch_at(world, 1)
    (edited,) = edits
    edited.result(LONGEST_S)
    assert not AlertGroup.objects.for_org(world.org).filter(group_wait_ms=OLD).exists()
    dispatch_at(world, 2)
    assert waits_of(world) == {"first": [NEW]}
