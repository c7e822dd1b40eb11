"""The routing tree as its page shows it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apps.notifications.services.route_times import Intervals, RouteTime, is_open, route_times
from apps.notifications.services.routing import Route
from apps.notifications.services.tree_edits import ROOT
from detectviz.contracts.durations import format_duration


@dataclass(frozen=True, kw_only=True)
class RouteNode:
    """A route: what is written at it, what it inherits, and whether explained labels hit it."""

    at: str
    spec: Mapping[str, Any]
    route: Route
    is_hit: bool
    is_told: bool
    times: tuple[RouteTime, ...]
    is_first: bool
    is_last: bool
    children: "tuple[RouteNode, ...]" = ()

    @property
    def is_root(self) -> bool:
        """Return whether it takes every alert."""
        return self.at == ROOT

    @property
    def is_open(self) -> bool:
        """Return whether its times let alerts through at the time asked about."""
        return is_open(self.times)

    @property
    def has_own_point(self) -> bool:
        """Return whether its contact point is written at it, not inherited."""
        return bool(self.spec.get("contact_point"))

    @property
    def grouping(self) -> str:
        """How alerts are put together."""
        if "..." in self.route.group_by:
            return "each alert alone"
        return f"by {', '.join(self.route.group_by)}" if self.route.group_by else "all together"

    @property
    def has_own_grouping(self) -> bool:
        """Return whether the grouping is written at it."""
        return self.is_root or self.spec.get("group_by") is not None

    @property
    def timers(self) -> tuple[tuple[str, str], ...]:
        """The timers written at it, at the root all of them, as (what, how long)."""
        words = {
            "group_wait": ("wait", self.route.group_wait_ms),
            "group_interval": ("updates every", self.route.group_interval_ms),
            "repeat_interval": ("repeat after", self.route.repeat_interval_ms),
        }
        return tuple(
            (word, format_duration(length_ms / 1000))
            for name, (word, length_ms) in words.items()
            if self.is_root or self.spec.get(name)
        )


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """The routes to mark with whether they tell somebody, and the time the tree is shown for."""

    hits: Mapping[str, bool]
    intervals: Intervals
    at: datetime


def route_nodes(
    spec: Mapping[str, Any],
    route: Route,
    *,
    hits: Mapping[str, bool],
    intervals: Intervals,
    at: datetime,
) -> RouteNode:
    """Return the tree as nodes; ``hits`` holds the paths of the routes to mark."""
    asked = _Asked(hits=hits, intervals=intervals, at=at)
    return _node(spec, route, asked, ROOT, is_first=True, is_last=True)


def _node(
    spec: Mapping[str, Any],
    route: Route,
    asked: _Asked,
    at: str,
    *,
    is_first: bool,
    is_last: bool,
) -> RouteNode:
    pairs = list(zip(spec.get("routes", ()), route.routes, strict=True))
    return RouteNode(
        at=at,
        spec=spec,
        route=route,
        is_hit=route.path in asked.hits,
        is_told=asked.hits.get(route.path, False),
        times=route_times(route, asked.intervals, asked.at),
        is_first=is_first,
        is_last=is_last,
        children=tuple(
            _node(
                child,
                inner,
                asked,
                f"{at}-{index}",
                is_first=index == 0,
                is_last=index == len(pairs) - 1,
            )
            for index, (child, inner) in enumerate(pairs)
        ),
    )
