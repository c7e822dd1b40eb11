"""What a pages plugin adds, read from ``site.yaml``: known before any of its code is run."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from detectviz.contracts.types import JsonObject

SITE_FILE = "site.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A page below ``/o/{org}/x/{plugin}/``; ``<name>`` in its path is a parameter."""

    name: str
    path: str
    title: str
    permission: str
    lead: str = ""
    methods: tuple[str, ...] = ("GET",)

    def match(self, path: str) -> dict[str, str] | None:
        """Return the parameters of ``path``, None where it is not of this route."""
        wanted, given = self.path.split("/"), path.strip("/").split("/")
        if len(wanted) != len(given):
            return None
        found: dict[str, str] = {}
        for want, got in zip(wanted, given, strict=True):
            if want.startswith("<") and got:
                found[want[1:-1]] = got
            elif want != got:
                return None
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A link of the sidebar to a route; who may use the route sees it."""

    title: str
    route: Route
    icon: str = "plug"
    section: str = "Show"
    order: int = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A widget (with the ``slot`` of a page it stands in) or a partial."""

    name: str
    permission: str
    title: str = ""
    slot: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Everything a pages plugin adds."""

    routes: tuple[Route, ...] = ()
    navigation: tuple[Node, ...] = ()
    widgets: tuple[Part, ...] = ()
    partials: tuple[Part, ...] = ()

    @property
    def permissions(self) -> frozenset[str]:
        """Every permission that is named."""
        parts = (*self.widgets, *self.partials)
        return frozenset(
            [*(each.permission for each in self.routes), *(each.permission for each in parts)]
        )

    def resolve(self, path: str) -> tuple[Route, dict[str, str]] | None:
        """Return the first route for ``path`` with its parameters."""
        for route in self.routes:
            found = route.match(path)
            if found is not None:
                return route, found
        return None


def site_of(document: JsonObject) -> Site:
    """Return the site of a document that has passed its schema."""
    plain: Mapping[str, Any] = document
    routes = {
        each["name"]: Route(**{**each, "methods": tuple(each.get("methods", ("GET",)))})
        for each in plain.get("routes", ())
    }
    return Site(
        routes=tuple(routes.values()),
        navigation=tuple(
            Node(**{**each, "route": routes[each["route"]]}) for each in plain.get("navigation", ())
        ),
        widgets=tuple(Part(**each) for each in plain.get("widgets", ())),
        partials=tuple(Part(**each) for each in plain.get("partials", ())),
    )


def site_problems(document: JsonObject) -> Iterator[tuple[str, str]]:
    """Yield (JSON pointer, message) for what the schema cannot say: names used twice or unknown."""
    plain: Mapping[str, Any] = document
    for part in ("routes", "widgets", "partials"):
        seen: set[str] = set()
        for index, each in enumerate(plain.get(part, ())):
            if each["name"] in seen:
                yield f"/{part}/{index}/name", f"{each['name']} is there twice; rename one."
            seen.add(each["name"])
    known = {each["name"] for each in plain.get("routes", ())}
    for index, node in enumerate(plain.get("navigation", ())):
        if node["route"] not in known:
            yield f"/navigation/{index}/route", f"There is no route {node['route']!r}."
