"""Every route by persona by method, from the URL resolver, in two orgs with the same names."""

import re
from collections.abc import Iterator

import pytest
from django.db import transaction
from django.urls import resolve
from pytest_django import DjangoDbBlocker

from tests.isolation.expectations import rule_of
from tests.isolation.routes import Route, route_list
from tests.isolation.rule import METHODS, Rule
from tests.isolation.table import TABLE
from tests.isolation.world import (
    NOWHERE,
    ONLY_WATCHED,
    RIVAL,
    WATCHED,
    Answer,
    World,
    ask,
    world_make,
)

pytestmark = pytest.mark.django_db
ROUTES = {f"{route.name} {route.pattern}": route for route in route_list()}
CSRF_TOKEN = rb"\b[A-Za-z0-9]{64}\b"  # masked anew in every answer
FEW_METHODS = ("GET", "POST")


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[World]:
    """Both orgs, made once; every request is rolled back."""
    with django_db_blocker.unblock(), transaction.atomic():
        yield world_make()
        transaction.set_rollback(True)


@pytest.fixture(params=sorted(ROUTES))
def any_route(request: pytest.FixtureRequest) -> Route:
    """Every route."""
    return ROUTES[request.param]


@pytest.fixture(params=sorted(key for key, route in ROUTES.items() if not route.is_admin))
def route(request: pytest.FixtureRequest) -> Route:
    """Every route but those of Django admin, which know no org."""
    return ROUTES[request.param]


def row(route: Route) -> Rule:
    """Return the route's row."""
    found = rule_of(route)
    assert found, f"{route.name} ({route.pattern}): write its row in tests/isolation/table.py"
    return found


def methods_of(route: Route) -> tuple[str, ...]:
    return FEW_METHODS if route.is_admin else METHODS


def canaries_in(world: World, answer: Answer, path: str) -> list[bytes]:
    """Return the watched org's words in an answer, but for those the caller has said himself."""
    said, asked = answer.everything, path.encode()
    return [word for word in world.canaries if word in said and word not in asked]


def test_every_route_has_a_row() -> None:
    missing = [f"{route.name}: {route.pattern}" for route in ROUTES.values() if not rule_of(route)]
    assert not missing, "write their rows in tests/isolation/table.py"


def test_no_row_is_stale() -> None:
    assert set(TABLE) <= {route.name for route in ROUTES.values()}


def test_no_route_hides_another(route: Route, world: World) -> None:
    path = route.path(row(route).parameters(route, world.values[WATCHED]))
    assert resolve(path).func is route.callback


def test_everybody_gets_exactly_what_their_role_grants(any_route: Route, world: World) -> None:
    route, rule = any_route, row(any_route)
    path = route.path(rule.parameters(route, world.values[WATCHED]))
    wrong: list[tuple[object, ...]] = []
    for persona in world.personas.values():
        for method in methods_of(route):
            response = ask(persona, method, path, rule.bodies.get(method))
            expected = rule.expected(persona, method)
            if response.status not in expected:
                wrong.append((persona.name, method, response.status, sorted(expected)))
            if not persona.is_member and not rule.is_secret_door:
                wrong += [
                    (persona.name, method, word) for word in canaries_in(world, response, path)
                ]
    assert not wrong, path


def test_a_foreign_org_answers_like_none(route: Route, world: World) -> None:
    rule = row(route)
    if "org" not in route.parameters and "org" not in rule.values.values():
        pytest.skip("no org in the address")
    values = world.values[WATCHED]
    foreign = route.path(rule.parameters(route, values))
    unknown = route.path(rule.parameters(route, {**values, "org": NOWHERE}))
    for persona in world.rivals():
        if persona.is_anonymous or rule.is_secret_door:
            continue
        for method in FEW_METHODS if persona.is_program else METHODS:
            body = rule.bodies.get(method)
            assert alike(ask(persona, method, foreign, body), WATCHED) == alike(
                ask(persona, method, unknown, body), NOWHERE
            ), (persona.name, method, foreign)


def test_another_orgs_objects_answer_like_none(route: Route, world: World) -> None:
    rule = row(route)
    own = {name for name in route.parameters if not rule.values.get(name, "").startswith("=")}
    if "org" not in own or own == {"org"}:
        pytest.skip("no object in the address")
    theirs = rule.parameters(route, {**world.values[WATCHED], "name": ONLY_WATCHED})
    nobodys = {name: nothing(value) if name in own else value for name, value in theirs.items()}
    here = {"org": RIVAL}
    outsider = world.personas["outsider"]
    for method in methods_of(route):
        body = rule.bodies.get(method)
        foreign = ask(outsider, method, route.path(theirs | here), body)
        unknown = ask(outsider, method, route.path(nobodys | here), body)
        assert not canaries_in(world, foreign, route.path(theirs | here)), method
        if method not in {"OPTIONS", "PUT"}:  # one tells the schema, the other may create
            assert foreign.status in {404, 405}, method
        assert alike(foreign, *theirs.values()) == alike(unknown, *nobodys.values()), method


def test_ones_own_pages_say_nothing_of_the_other_org(route: Route, world: World) -> None:
    rule = row(route)
    path = route.path(rule.parameters(route, world.values[RIVAL]))
    for name in ("outsider", "foreign-key"):
        for method in FEW_METHODS:
            response = ask(world.personas[name], method, path, rule.bodies.get(method))
            assert not canaries_in(world, response, path), (name, method, response.content[:2000])
            assert response.status < 500 or route.name == "readyz", (method, response.content)


def nothing(value: object) -> object:
    """Return a value of the same shape that nothing has."""
    return 999_999_999 if isinstance(value, int) else NOWHERE


def alike(response: Answer, *own: object) -> tuple[int, str, bytes]:
    """Return what two answers must share: all but what stood in the request itself."""
    content = re.sub(CSRF_TOKEN, b"*", response.content)
    for word in sorted((each for each in own if isinstance(each, str)), key=len, reverse=True):
        content = content.replace(word.encode(), b"*")
    return response.status, response.headers.get("Content-Type", ""), content
