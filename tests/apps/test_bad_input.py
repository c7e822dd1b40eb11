"""Bad input of every kind: a 4xx that names the field, and nothing written."""

from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest
from django.db import connection, transaction
from django.test import Client
from pytest_django import DjangoDbBlocker

from apps.audit.models import AuditEvent
from detectviz.permissions.table import PLATFORM_PERMISSIONS
from detectviz.resources.api.views import SubresourceView
from detectviz.resources.registry import ResourceKind, registry
from tests.factories.accounts import make_user
from tests.isolation.expectations import FRESH, rule_of
from tests.isolation.manifests import SHARED, manifest, writable_kinds
from tests.isolation.routes import Route, route_list
from tests.isolation.world import RIVAL, WATCHED, World, counted, row_images, world_make
from tests.isolation.wrong import LONG, NUL, Path, field_paths, placed, written, wrong_values

pytestmark = pytest.mark.django_db
IMAGES: dict[str, Any] = {}  # of each kind; every request is undone, so they stay true
ROOT = Client()
HARMLESS = frozenset({"SELECT", "SAVEPOINT", "RELEASE", "ROLLBACK"})
JSON, YAML = "application/json", "application/yaml"
ODD_VALUES: tuple[object, ...] = (
    None,
    5,
    "x",
    [],
    [5],
    {"spec": 5},
    {"labels": 5},
    {"name": 5},
    {"spec": {"type": []}},
)


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[World]:
    """Both orgs; every request is rolled back."""
    with django_db_blocker.unblock(), transaction.atomic():
        IMAGES.clear()
        made = world_make()
        ROOT.force_login(make_user("root", is_superuser=True))
        yield made
        transaction.set_rollback(True)


@pytest.fixture(params=[kind.kind for kind in writable_kinds()])
def kind(request: pytest.FixtureRequest) -> ResourceKind[Any]:
    """Every kind that can be written."""
    return next(kind for kind in registry if kind.kind == request.param)


def base(kind: ResourceKind[Any]) -> dict[str, Any]:
    """Return a document that would be taken."""
    document = manifest(kind, "written")
    document["metadata"]["name"] = name_of(kind)
    return document


def name_of(kind: ResourceKind[Any]) -> str:
    if kind.singleton_name:
        return kind.singleton_name
    return FRESH if "create" in kind.verbs and kind.kind != "User" else SHARED


def address(kind: ResourceKind[Any], *more: str) -> str:
    return "/".join([f"/apis/{kind.api_version}/orgs/{WATCHED}/{kind.plural}", *more])


def writer_of(world: World, kind: ResourceKind[Any]) -> Client:
    """Return who may write a kind: the org's owner, or the platform where no org may."""
    is_platforms = f"{kind.permission}:update" in PLATFORM_PERMISSIONS
    return ROOT if is_platforms else world.personas["owner"].client


class Changes:
    """Notes the statements that may change a row; most requests are refused before the first."""

    def __init__(self) -> None:
        self.statements: list[str] = []

    def __call__(
        self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any
    ) -> Any:
        if sql.split(maxsplit=1)[0] not in HARMLESS:
            self.statements.append(sql)
        return execute(sql, params, many, context)


def refused(
    world: World,
    kind: ResourceKind[Any],
    body: object,
    *,
    method: str = "PUT",
    path: str = "",
    content_type: str = JSON,
) -> Any:
    """Send a body that must be refused with a problem; prove that nothing was written.

    Where no statement could change a row, none was changed; counting all tables is what takes long.
    """
    data = body if isinstance(body, bytes) else orjson.dumps(body)
    if kind.kind not in IMAGES:
        IMAGES[kind.kind] = image(world, kind)
    changes = Changes()
    with transaction.atomic():
        with connection.execute_wrapper(changes):
            response: Any = writer_of(world, kind).generic(
                method, path or address(kind, name_of(kind)), data, content_type=content_type
            )
        after = image(world, kind) if changes.statements else IMAGES[kind.kind]
        transaction.set_rollback(True)
    shown = (data[:200], response.status_code, response.content[:600])
    assert 400 <= response.status_code < 500, shown
    assert response.status_code not in {401, 403}, shown
    assert response.headers["Content-Type"].startswith("application/problem+json"), shown
    assert IMAGES[kind.kind] == after, shown
    return response


def image(world: World, kind: ResourceKind[Any]) -> tuple[Any, ...]:
    events = AuditEvent.objects.count()
    return events, counted(world.watched), row_images(kind.model, world.watched)


def named(response: Any) -> list[str]:
    """Return the fields an answer names."""
    return [error["field"] for error in response.json().get("errors", [])]


def assert_names(response: Any, path: Path, value: object = None) -> None:
    wanted = written(path)
    related = [
        field for field in named(response) if field.startswith(wanted) or wanted.startswith(field)
    ]
    assert [field for field in related if field not in {"", "spec"}] or wanted == "spec", (
        wanted,
        str(value)[:100],
        response.content[:600],
    )


def test_what_is_taken_is_noticed_as_a_change(kind: ResourceKind[Any], world: World) -> None:
    changes = Changes()
    with transaction.atomic(), connection.execute_wrapper(changes):
        response: Any = writer_of(world, kind).put(
            address(kind, name_of(kind)), orjson.dumps(base(kind)), content_type=JSON
        )
        transaction.set_rollback(True)
    assert response.status_code < 300, response.content[:600]
    assert changes.statements


def test_every_spec_field_refuses_what_it_cannot_want(
    kind: ResourceKind[Any], world: World
) -> None:
    good = base(kind)
    for path, field in field_paths(kind.spec_serializer()):
        for value in wrong_values(field):
            response = refused(world, kind, placed(good, ("spec", *path), value))
            assert_names(response, ("spec", *path), value)


@pytest.mark.parametrize(
    ("path", "values"),
    [
        (("surprise",), (1,)),
        (("metadata", "surprise"), (1,)),
        (("spec", "surprise"), (1,)),
        (("spec", "org"), (RIVAL, 1)),
        (("spec", "org_id"), (1,)),
        (("apiVersion",), ("core/v2", 5, None, [], NUL)),
        (("kind",), ("Nothing", 5, None, {})),
        (("metadata",), (5, "x", [], None)),
        (("metadata", "name"), ("UPPER", "", 5, None, "a" * 64, "../x", "a\n", NUL, LONG, [])),
        (("metadata", "org"), (RIVAL, 5, NUL, [], {})),
        (("metadata", "folder"), ("not-anywhere", "only-rival", 5, NUL, LONG, [])),
        (("metadata", "labels"), (5, "x", [], {"a": 5}, {"a": NUL}, {"": "x"}, {"a": LONG})),
        (("metadata", "labels"), ({str(number): "x" for number in range(65)},)),
        (("metadata", "resource_version"), ("x", 1.5, True, [], 10**18, -1)),
        (("spec",), (5, "x", [], None, [{}])),
    ],
)
def test_every_part_of_the_envelope_is_checked(
    path: Path, values: tuple[object, ...], kind: ResourceKind[Any], world: World
) -> None:
    for value in values:
        if value is None and path[0] == "metadata":
            continue  # the address says it, or it means "leave it"
        response = refused(world, kind, placed(base(kind), path, value))
        if response.status_code not in {404, 409}:  # a version of nothing, a stale version
            assert_names(response, path, value)


def test_a_document_needs_a_spec(kind: ResourceKind[Any], world: World) -> None:
    document = base(kind)
    del document["spec"]
    assert "spec" in named(refused(world, kind, document))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"5",
        b'"x"',
        b"null",
        b"\xff\xfe",
        b'{"spec": NaN}',
        b'{"spec": {"title": Infinity}}',
        b'{"spec": {"title": "\\ud800"}}',
        b'{"spec": {}, "spec": {}}',
        b'{"spec": {"labels": {"a": "1", "a": "2"}}}',
        b"[" * 5000 + b"]" * 5000,
        b'{"spec": {"config": ' + b'{"a":' * 500 + b"1" + b"}" * 502,
        b'{"metadata": {"labels": ' + b'{"a":' * 900 + b"1" + b"}" * 902,
        b'{"spec": {"config": {"a": 1' + b"0" * 400 + b"}}}",
    ],
    ids=lambda body: body[:40].decode("latin-1") or "empty",
)
def test_no_json_breaks_the_api(body: bytes, kind: ResourceKind[Any], world: World) -> None:
    for method in ("PUT", "PATCH"):
        if method == "PATCH" and body == b"":
            continue  # a patch of nothing changes nothing
        refused(world, kind, body, method=method)
    if "create" in kind.verbs:
        refused(world, kind, body, method="POST", path=address(kind))


@pytest.mark.parametrize(
    "body",
    [
        "a: [",
        "a: b: c",
        "\x00",
        "spec: {a: 1, a: 2}",
        "spec:\n  title: x\n  title: y\n",
        "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n",
        "spec: {title: !!python/object/apply:os.system [id]}",
        "spec: {title: !!binary aGVsbG8=}",
        "spec: {config: {at: !!timestamp 2026-01-01}}",
        "spec: {config: {at: !!set {a, b}}}",
        "spec: {config: {a: .nan}}",
        "spec: {config: {a: .inf}}",
        "spec: {config: {1: x}}",
        "spec: {config: {a: 1" + "0" * 5000 + "}}",
        "{spec: " * 60 + "1" + "}" * 60,
        "spec: {}\n---\nspec: {}\n",
        "? [a, b]\n: c\n",
    ],
    ids=lambda body: body[:40],
)
def test_no_yaml_breaks_the_api(body: str, kind: ResourceKind[Any], world: World) -> None:
    refused(world, kind, body.encode(), content_type=YAML)
    refused(
        world,
        kind,
        body.encode(),
        method="POST",
        path=f"/apis/orgs/{WATCHED}/apply",
        content_type=YAML,
    )


def test_too_many_parameters_are_refused(kind: ResourceKind[Any], world: World) -> None:
    many = "&".join(f"surprise={number}" for number in range(1001))
    path = f"{address(kind)}?{many}"
    assert refused(world, kind, b"", method="GET", path=path).status_code == 413


def test_a_body_that_is_too_large_is_refused(world: World) -> None:
    kind = next(kind for kind in registry if kind.kind == "Folder")
    path = f"/apis/orgs/{WATCHED}/apply"
    body = b"#" * (4 * 1024 * 1024 + 1)
    response = refused(world, kind, body, method="POST", path=path, content_type=YAML)
    assert response.status_code == 413


@pytest.mark.parametrize("content_type", ["text/plain", "multipart/form-data; boundary=x", "x/y"])
def test_an_unknown_content_type_is_refused(
    content_type: str, kind: ResourceKind[Any], world: World
) -> None:
    response = refused(world, kind, base(kind), content_type=content_type)
    assert response.status_code == 415


def test_a_stale_version_is_a_conflict(kind: ResourceKind[Any], world: World) -> None:
    name = kind.singleton_name or SHARED
    document = placed(base(kind), ("metadata", "name"), name)
    stale = placed(document, ("metadata", "resource_version"), 99)
    path = address(kind, name)
    assert refused(world, kind, stale, path=path).status_code == 409
    patch = {"metadata": {"resource_version": 99}}
    assert refused(world, kind, patch, method="PATCH", path=path).status_code == 409


def test_bad_documents_are_found_among_several(kind: ResourceKind[Any], world: World) -> None:
    path = f"/apis/orgs/{WATCHED}/apply"
    bad = placed(base(kind), ("spec", "surprise"), 1)
    several = b"---\n".join(orjson.dumps(each) + b"\n" for each in (base(kind), bad))
    response = refused(world, kind, several, method="POST", path=path, content_type=YAML)
    assert "documents[1].spec.surprise" in named(response)
    unlisted: tuple[object, ...] = (5, "x", [5], [None], [[]], {"a": 1})
    for items in unlisted:
        body = {"apiVersion": "v1", "kind": "List", "items": items}
        refused(world, kind, body, method="POST", path=path)


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=x",
        "limit=501",
        "limit=%C2%B2",
        "limit=000001" + "9" * 5000,
        "continue=!!!",
        "continue=AA",
        "continue=YQBi",
        "label_selector=%25",
        "label_selector=a=%00",
        "field_selector=nothing=1",
        "field_selector=x",
        "search=%00",
        "folder=%00",
        "surprise=1",
    ],
)
def test_list_parameters_are_checked(query: str, kind: ResourceKind[Any], world: World) -> None:
    refused(world, kind, b"", method="GET", path=f"{address(kind)}?{query}")


def test_no_value_of_a_field_selector_breaks_a_list(world: World) -> None:
    client = world.personas["owner"].client
    for kind in registry:
        for field in kind.field_selectors:
            for value in ("", "maybe", "5", "9" * 30, "a,b", "x" * 3000, "é"):
                path = f"{address(kind)}?field_selector={field}={value}"
                assert client.get(path).status_code < 500, path


def _posts() -> list[Route]:
    views = ((route, route.view_class) for route in route_list())
    return [
        route
        for route, view in views
        if isinstance(view, type)
        and issubclass(view, SubresourceView)
        and view.subresource.method == "POST"
    ]


@pytest.mark.parametrize("route", _posts(), ids=lambda route: route.name)
def test_no_body_breaks_a_subresource(route: Route, world: World) -> None:
    rule = rule_of(route)
    assert rule is not None
    path = route.path(rule.parameters(route, world.values[WATCHED]))
    client = world.personas["owner"].client
    for value in ODD_VALUES:
        with transaction.atomic():
            response: Any = client.generic("POST", path, orjson.dumps(value), content_type=JSON)
            transaction.set_rollback(True)
        assert response.status_code < 500, (value, response.content)
