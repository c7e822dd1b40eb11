"""What each route answers to whom: from the registry where it can be, else from these tables."""

from collections.abc import Mapping
from typing import Any

from detectviz.resources.api.views import CollectionView, ItemView, SubresourceView
from detectviz.resources.registry import ResourceKind
from tests.isolation.manifests import manifest
from tests.isolation.routes import Route
from tests.isolation.rule import MEMBER, Rule
from tests.isolation.table import ADMIN, NOBODY, TABLE

FRESH = "fresh"  # the name of what a POST makes


def rule_of(route: Route) -> Rule | None:
    """Return the row of a route, or None when nobody has written one."""
    row = _registered(route.view_class) or TABLE.get(route.name)
    return row or (ADMIN if route.is_admin else None)


def _registered(view: Any) -> Rule | None:
    if not isinstance(view, type):
        return None
    if issubclass(view, SubresourceView):
        return _subresource(view)
    if issubclass(view, ItemView):
        return _item(view.kind)
    if issubclass(view, CollectionView):
        return _collection(view.kind)
    return None


def _collection(kind: ResourceKind[Any]) -> Rule:
    read = (f"{kind.permission}:read",)
    methods: dict[str, tuple[str, ...]] = {"OPTIONS": (MEMBER,)}
    if "list" in kind.verbs:
        methods |= {"GET": read, "HEAD": read}
    if "create" in kind.verbs:
        methods["POST"] = (f"{kind.permission}:create",)
    bodies = {"POST": _body(kind, kind.singleton_name or FRESH)} if "POST" in methods else {}
    if kind.kind == "User" and "POST" in methods:  # members invite; accounts are the platform's
        methods["POST"] = (NOBODY,)
    if kind.singleton_name:  # the one there is: a POST of it asks to change it
        methods["POST"] = (f"{kind.permission}:update",)
    return Rule(door="kind", methods=methods, bodies=bodies)


def _item(kind: ResourceKind[Any]) -> Rule:
    read = (f"{kind.permission}:read",)
    methods: dict[str, tuple[str, ...]] = {"OPTIONS": (MEMBER,), "GET": read, "HEAD": read}
    values = {"name": f"={kind.singleton_name}"} if kind.singleton_name else {}
    if "update" in kind.verbs:
        methods |= dict.fromkeys(("PUT", "PATCH"), (*read, f"{kind.permission}:update"))
    if "delete" in kind.verbs:
        methods["DELETE"] = (*read, f"{kind.permission}:delete")
    writes = {"PUT", "PATCH"} & set(methods)
    bodies = {method: _body(kind, kind.singleton_name or "shared") for method in writes}
    return Rule(door="kind", methods=methods, values=values, bodies=bodies)


def _subresource(view: type[SubresourceView]) -> Rule:
    kind, item = view.kind, view.subresource
    own = item.permission if ":" in item.permission else f"{kind.permission}:{item.permission}"
    needed = (own,) if item.is_collection else (f"{kind.permission}:read", own)
    values = {"name": f"={kind.singleton_name}"} if kind.singleton_name else {}
    methods = {item.method: needed, "OPTIONS": (MEMBER,)}
    bodies = {item.method: _subresource_body(kind, item.name)} if item.method == "POST" else {}
    return Rule(door="kind", methods=methods, values=values, bodies=bodies)


def _subresource_body(kind: ResourceKind[Any], name: str) -> Any:
    own = SUBRESOURCE_BODIES.get(f"{kind.kind}/{name}")
    return SUBRESOURCE_BODIES[name] if own is None else own


def _body(kind: ResourceKind[Any], name: str) -> dict[str, Any]:
    document = manifest(kind, "written")
    document["metadata"]["name"] = name
    return document


SUBRESOURCE_BODIES: Mapping[str, Any] = {
    "acknowledge": {},
    "assign": {},
    "backfill": {"start": "2026-01-01T00:00:00Z", "end": "2026-01-01T00:10:00Z"},
    "backtest": {"expr": "up == 0", "range": "1h"},
    "begin": {},
    "cancel": {},
    "close": {},
    "comment": {"comment": "Looking into it"},
    "end": {},
    "evaluate-preview": {"expr": "up == 0"},
    "expire": {},
    "InhibitionRule/preview": {
        "source_matchers": ['alertname="Down"'],
        "target_matchers": ['alertname="Slow"'],
    },
    "Silence/preview": {"matchers": ['alertname="Down"']},
    "explain": {"labels": {"alertname": "Down"}},
    "gather": {"names": ["shared"]},
    "handle": {"action": "acknowledge", "names": ["shared"]},
    "health": {},
    "note": {"text": "Looking into it"},
    "override": {
        "participant": "shared",
        "starts_at": "2126-01-01T00:00:00Z",
        "ends_at": "2126-01-02T00:00:00Z",
    },
    "override-end": {"override": "none"},
    "pause": {},
    "restore-builtin": {},
    "NotificationTemplate/preview": {"template": '{{ define "own" }}x{{ end }}'},
    "resume": {},
    "rotate-token": {},
    "run": {},
    "snooze": {"until": "2126-01-01T00:00:00Z"},
    "test": {"spec": {"type": "push", "config": {"period": "1h"}}},
    "unacknowledge": {},
    "unsnooze": {},
}
