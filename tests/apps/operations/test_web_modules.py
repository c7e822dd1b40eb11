"""The page of what runs."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from apps.operations.web.views.modules import modules_draw, needs_of
from apps.orgs.models import Org
from detectviz.clock import utc_now
from detectviz.composition.current import ModuleGraph, ModuleNode
from detectviz.runtime.models import ProcessHeartbeat
from detectviz.runtime.modules import ModuleState
from tests.factories.accounts import make_user
from tests.factories.orgs import make_org
from tests.factories.pages import HTMX, make_browser

pytestmark = pytest.mark.django_db
PAGE = "/o/acme/modules"


@pytest.fixture
def acme() -> Org:
    return make_org("acme")


@pytest.fixture
def platform(acme: Org) -> Client:
    client = Client()
    client.force_login(make_user("root", is_superuser=True))
    return client


def make_process(owner: str, **states: str) -> None:
    """Write the heartbeat of a process whose modules each rest on the one before."""
    now, modules, before = utc_now(), list[dict[str, Any]](), list[str]()
    for name, state in states.items():
        row = {"name": name, "state": state, "since": now.timestamp(), "depends_on": before[-1:]}
        modules.append({**row, "reason": "the disk is full" if state == "failed" else ""})
        before.append(name)
    ProcessHeartbeat.objects.create(
        owner=owner, role="web", started_at=now, seen_at=now, modules=modules
    )


def test_every_process_is_drawn_and_told_in_a_table(platform: Client) -> None:
    make_process("one:1", drivers="running", server="running")
    make_process("two:2", drivers="running", relay="failed")

    html = platform.get(PAGE).content.decode()

    for words in ("one:1", "two:2", "A module failed.", "the disk is full", "<line ", "<rect "):
        assert words in html


def test_one_that_is_not_well_is_told_first(platform: Client) -> None:
    make_process("one:1", drivers="running", redis="degraded")

    html = platform.get(PAGE).content.decode()

    assert "A module runs and is not well." in html
    assert "Degraded" in html


def test_the_composition_in_force_is_named(platform: Client) -> None:
    html = platform.get(PAGE).content.decode()

    assert "Composition " in html
    assert "composition.yaml" in html
    assert "No process has reported its modules." in html


def test_it_is_the_platforms_to_see(acme: Org) -> None:
    assert make_browser(acme, "admin").get(PAGE).status_code == 403


def test_htmx_gets_the_part_alone(platform: Client) -> None:
    html = platform.get(PAGE, headers=HTMX).content.decode()
    assert 'id="modules"' in html
    assert "<html" not in html


def test_the_page_has_a_query_budget(
    platform: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(8):
        make_process(f"host:{number}", drivers="running", server="running")
    platform.get(PAGE)
    with django_assert_max_num_queries(10):
        platform.get(PAGE)


def make_node(name: str) -> ModuleNode:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return ModuleNode(
        key=name,
        process="p",
        role="web",
        name=name,
        state=ModuleState.RUNNING,
        since=at,
        reason="",
    )


def test_a_module_stands_right_of_what_it_rests_on() -> None:
    nodes = tuple(make_node(name) for name in ("web", "drivers", "plugins"))
    edges = (("web", "plugins"), ("plugins", "drivers"), ("web", "drivers"))

    drawing = modules_draw(nodes, needs_of(ModuleGraph(nodes=nodes, edges=edges)))

    x = {box.node.name: box.x for box in drawing.boxes}
    assert x["drivers"] < x["plugins"] < x["web"]
    assert len(drawing.lines) == 3
    assert drawing.width > x["web"]


def test_a_circle_and_a_missing_module_do_not_stop_the_drawing() -> None:
    nodes = (make_node("a"), make_node("b"))
    drawing = modules_draw(nodes, {"a": ["b", "gone"], "b": ["a"]})
    assert len(drawing.boxes) == 2


def test_nothing_is_drawn_of_nothing() -> None:
    assert modules_draw((), {}).boxes == ()
