"""Change the routing tree's spec at one place, written as ``root`` or ``root-0-2``."""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

from apps.notifications.services.routing import Route
from detectviz.resources.errors import NotFoundError

ROOT = "root"
_LONGEST_PLACE = 200


def find_route(root: Route, at: str) -> Route:
    """Return the route at a place, with everything inherited; raise NotFoundError."""
    node = root
    for index in place_indexes(at):
        if index >= len(node.routes):
            raise NotFoundError
        node = node.routes[index]
    return node


def find_spec(root: Mapping[str, Any], at: str) -> dict[str, Any]:
    """Return what is written at a place; raise NotFoundError."""
    node: Any = root
    for index in place_indexes(at):
        children = node.get("routes", [])
        if index >= len(children):
            raise NotFoundError
        node = children[index]
    found: dict[str, Any] = node
    return found


def with_changed(root: Mapping[str, Any], at: str, own: Mapping[str, Any]) -> dict[str, Any]:
    """Return a tree whose node at a place says ``own``; its children stay."""
    changed: dict[str, Any] = deepcopy(dict(root))
    node = find_spec(changed, at)
    routes = node.get("routes", [])
    node.clear()
    node.update({**own, "routes": routes} if routes else own)
    return changed


def with_added(root: Mapping[str, Any], at: str, own: Mapping[str, Any]) -> dict[str, Any]:
    """Return a tree with a new last child below a place."""
    changed: dict[str, Any] = deepcopy(dict(root))
    find_spec(changed, at).setdefault("routes", []).append(dict(own))
    return changed


def without(root: Mapping[str, Any], at: str) -> dict[str, Any]:
    """Return a tree without the node at a place and what is below it."""
    changed: dict[str, Any] = deepcopy(dict(root))
    siblings, index = _siblings(changed, at)
    del siblings[index]
    return changed


def with_moved(root: Mapping[str, Any], at: str, by: int) -> dict[str, Any]:
    """Return a tree whose node stands ``by`` places further among its siblings, if there is one."""
    changed: dict[str, Any] = deepcopy(dict(root))
    siblings, index = _siblings(changed, at)
    siblings.insert(max(0, index + by), siblings.pop(index))
    return changed


def _siblings(root: Mapping[str, Any], at: str) -> tuple[list[dict[str, Any]], int]:
    parent, _, last = at.rpartition("-")
    find_spec(root, at)
    if not parent:
        raise NotFoundError
    siblings: list[dict[str, Any]] = find_spec(root, parent)["routes"]
    return siblings, int(last)


def place_indexes(at: str) -> Iterator[int]:
    """Yield the index at each level below the root; raise NotFoundError for what is no place."""
    head, *rest = at[:_LONGEST_PLACE].split("-")
    if head != ROOT or not all(each.isdecimal() for each in rest):
        raise NotFoundError
    yield from map(int, rest)
