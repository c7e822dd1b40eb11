"""The routing tree as pure functions, with Alertmanager's semantics (dispatch/route.go)."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from apps.notifications.services.matchers import LabelMatcher, all_match, parse_matcher
from detectviz.contracts.durations import parse_duration_s

DEFAULT_GROUP_WAIT_MS = 30_000
DEFAULT_GROUP_INTERVAL_MS = 300_000
DEFAULT_REPEAT_INTERVAL_MS = 14_400_000
EVERY_LABEL = "..."


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A node with everything inherited filled in; ``path`` is its key from the root."""

    path: str
    contact_point: str
    group_by: tuple[str, ...]
    group_wait_ms: int
    group_interval_ms: int
    repeat_interval_ms: int
    matchers: tuple[LabelMatcher, ...] = ()
    does_continue: bool = False
    mute_time_intervals: tuple[str, ...] = ()
    active_time_intervals: tuple[str, ...] = ()
    notify_resolved_while_muted: bool = False
    resolve_immediately: bool = False
    escalation: str = ""
    routes: "tuple[Route, ...]" = field(default=())

    @property
    def options(self) -> dict[str, Any]:
        """What a group keeps of its route beside who is told and when; only what is set."""
        said: dict[str, Any] = {
            "mute_time_intervals": list(self.mute_time_intervals),
            "active_time_intervals": list(self.active_time_intervals),
            "notify_resolved_while_muted": self.notify_resolved_while_muted,
            "resolve_immediately": self.resolve_immediately,
            "escalation": self.escalation,
        }
        return {name: value for name, value in said.items() if value}


def build_tree(root: Mapping[str, Any]) -> Route:
    """Turn a validated spec into routes, children inheriting from their parents."""
    top = Route(
        path="{}",
        contact_point=str(root.get("contact_point", "")),
        group_by=(),
        group_wait_ms=DEFAULT_GROUP_WAIT_MS,
        group_interval_ms=DEFAULT_GROUP_INTERVAL_MS,
        repeat_interval_ms=DEFAULT_REPEAT_INTERVAL_MS,
    )
    return _build(root, parent=top, path="{}")


def _build(spec: Mapping[str, Any], *, parent: Route, path: str) -> Route:
    matchers = tuple(parse_matcher(text) for text in spec.get("matchers", ()))
    node = Route(
        path=path,
        contact_point=spec.get("contact_point") or parent.contact_point,
        group_by=tuple(spec["group_by"]) if spec.get("group_by") is not None else parent.group_by,
        group_wait_ms=_duration_ms(spec, "group_wait", parent.group_wait_ms),
        group_interval_ms=_duration_ms(spec, "group_interval", parent.group_interval_ms),
        repeat_interval_ms=_duration_ms(spec, "repeat_interval", parent.repeat_interval_ms),
        matchers=matchers,
        does_continue=bool(spec.get("continue", False)),
        # Like Alertmanager's, times hold for one route and not for those below it.
        mute_time_intervals=tuple(spec.get("mute_time_intervals", ())),
        active_time_intervals=tuple(spec.get("active_time_intervals", ())),
        notify_resolved_while_muted=spec.get(
            "notify_resolved_while_muted", parent.notify_resolved_while_muted
        ),
        resolve_immediately=spec.get("resolve_immediately", parent.resolve_immediately),
        escalation=spec.get("escalation", parent.escalation),
    )
    children: list[Route] = []
    seen: dict[str, int] = {}
    for child in spec.get("routes", ()):
        key = (
            "{"
            + ",".join(sorted(str(parse_matcher(text)) for text in child.get("matchers", ())))
            + "}"
        )
        # Twins (equal matchers under one parent) must not share groups.
        seen[key] = seen.get(key, -1) + 1
        suffix = f"/{key}" + (f"/{seen[key]}" if seen[key] else "")
        children.append(_build(child, parent=node, path=path + suffix))
    return replace(node, routes=tuple(children))


def match_routes(root: Route, labels: Mapping[str, str]) -> list[Route]:
    """Return the routes that handle ``labels``: depth first, stopping without ``continue``."""
    if not all_match(root.matchers, labels):
        return []
    matched: list[Route] = []
    for child in root.routes:
        found = match_routes(child, labels)
        matched += found
        if found and not child.does_continue:
            break
    return matched or [root]


def group_labels(route: Route, labels: Mapping[str, str]) -> dict[str, str]:
    """Return the labels that ``route`` groups by; ``...`` means every label."""
    if EVERY_LABEL in route.group_by:
        return dict(sorted(labels.items()))
    return {name: labels[name] for name in sorted(route.group_by) if name in labels}


def group_key(route: Route, labels: Mapping[str, str]) -> str:
    """Return route path and group labels, as Alertmanager writes its group key."""
    pairs = ", ".join(
        str(LabelMatcher(name, "=", value)) for name, value in group_labels(route, labels).items()
    )
    return f"{route.path}:{{{pairs}}}"


def key_digest(key: str) -> str:
    """Return the fixed-width form of a group key."""
    return hashlib.sha256(key.encode()).hexdigest()


def flatten(root: Route) -> Sequence[Route]:
    """Return every node, parents first."""
    return [root, *(node for child in root.routes for node in flatten(child))]


def _duration_ms(spec: Mapping[str, Any], name: str, inherited: int) -> int:
    text = spec.get(name)
    return round(parse_duration_s(text) * 1000) if text else inherited
