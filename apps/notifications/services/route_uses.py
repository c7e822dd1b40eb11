"""Which routes of an org's tree name a thing: time intervals and contact points."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from apps.notifications.models import RoutingTree
from apps.notifications.services.routing import Route, build_tree
from apps.notifications.services.tree_edits import ROOT

Way = Literal["muted", "active", "told"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteUse:
    """A route and how it uses a thing; ``at`` is its place in the tree, ``root-0-2``."""

    at: str
    route: Route
    way: Way

    @property
    def text(self) -> str:
        """What the route is for, in words."""
        matchers = ", ".join(map(str, self.route.matchers))
        if matchers:
            return matchers
        return "every alert" if self.at == ROOT else "every alert of the route above"


def placed_routes(root: Route, at: str = ROOT) -> Iterator[tuple[str, Route]]:
    """Yield every route with its place, parents first."""
    yield at, root
    for index, child in enumerate(root.routes):
        yield from placed_routes(child, f"{at}-{index}")


def interval_uses(*, org_id: int) -> dict[str, list[RouteUse]]:
    """Return the routes that name each time interval; one query."""
    found: dict[str, list[RouteUse]] = {}
    for at, route in _routes_of(org_id):
        for name in route.mute_time_intervals:
            found.setdefault(name, []).append(RouteUse(at=at, route=route, way="muted"))
        for name in route.active_time_intervals:
            found.setdefault(name, []).append(RouteUse(at=at, route=route, way="active"))
    return found


def contact_point_uses(*, org_id: int, name: str) -> list[RouteUse]:
    """Return the routes that lead to a contact point, those that inherit it too; one query."""
    return [
        RouteUse(at=at, route=route, way="told")
        for at, route in _routes_of(org_id)
        if route.contact_point == name
    ]


def _routes_of(org_id: int) -> list[tuple[str, Route]]:
    tree = RoutingTree.objects.for_org(org_id).first()
    return list(placed_routes(build_tree(tree.root))) if tree else []
