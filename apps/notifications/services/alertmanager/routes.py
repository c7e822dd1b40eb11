"""Alertmanager's routes as our routing tree, and back."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from apps.notifications.services.matchers import (
    LabelMatcher,
    MatcherError,
    parse_matcher,
    parse_matchers,
)
from detectviz.resources.errors import InvalidFieldsError
from detectviz.resources.losses import Losses

DURATIONS = ("group_wait", "group_interval", "repeat_interval")
INTERVALS = ("mute_time_intervals", "active_time_intervals")
_CARRIED = {
    "receiver",
    "group_by",
    "match",
    "match_re",
    "matchers",
    "continue",
    "routes",
    *DURATIONS,
    *INTERVALS,
}
_OURS = {"contact_point", "group_by", "matchers", "continue", "routes", *DURATIONS, *INTERVALS}
_WHY = {"labels": "labels of routes have no counterpart"}
Rename = Callable[[str], str]


def route_to_spec(
    route: Mapping[str, Any],
    path: str,
    *,
    receiver_name: Rename,
    interval_name: Rename,
    losses: Losses,
) -> dict[str, Any]:
    """Return a node of the routing tree with everything below it."""
    spec: dict[str, Any] = {}
    if route.get("receiver"):
        spec["contact_point"] = receiver_name(str(route["receiver"]))
    matchers = read_matchers(route, path, "match", "match_re", "matchers")
    if matchers:
        spec["matchers"] = matchers
    if route.get("group_by") is not None:
        spec["group_by"] = [str(name) for name in _listed(route, "group_by", path)]
    spec |= {name: str(route[name]) for name in DURATIONS if route.get(name) is not None}
    for name in INTERVALS:
        if route.get(name):
            spec[name] = [interval_name(str(one)) for one in _listed(route, name, path)]
    if route.get("continue"):
        spec["continue"] = True
    children = [
        route_to_spec(
            mapping_at(child, f"{path}.routes[{index}]"),
            f"{path}.routes[{index}]",
            receiver_name=receiver_name,
            interval_name=interval_name,
            losses=losses,
        )
        for index, child in enumerate(_listed(route, "routes", path))
    ]
    if children:
        spec["routes"] = children
    rest = {name: value for name, value in route.items() if name not in _CARRIED and value}
    losses.add_rest(rest, _WHY, path, "unknown field of a route")
    return spec


def read_matchers(
    mapping: Mapping[str, Any], path: str, equal: str, regex: str, matchers: str
) -> list[str]:
    """Return old and new spellings of matchers as we write them; raise InvalidFieldsError."""
    found = [
        LabelMatcher(str(name), op, str(value))
        for field, op in ((equal, "="), (regex, "=~"))
        for name, value in sorted(mapping_at(mapping.get(field) or {}, f"{path}.{field}").items())
    ]
    written = mapping.get(matchers) or []
    for text in [written] if isinstance(written, str) else _listed(mapping, matchers, path):
        try:
            found += parse_matchers(str(text))
        except MatcherError as error:
            raise InvalidFieldsError({f"{path}.{matchers}": [str(error)]}) from error
    return [str(matcher) for matcher in found]


def spec_to_route(
    spec: Mapping[str, Any], path: str, losses: Losses, *, product: str = "Alertmanager"
) -> dict[str, Any]:
    """Return a node of the routing tree as Alertmanager writes it."""
    route: dict[str, Any] = {}
    if spec.get("contact_point"):
        route["receiver"] = spec["contact_point"]
    for name in ("group_by", *DURATIONS, *INTERVALS):
        if spec.get(name) is not None:
            route[name] = spec[name]
    if spec.get("matchers"):
        route["matchers"] = [str(parse_matcher(text)) for text in spec["matchers"]]
    if spec.get("continue"):
        route["continue"] = True
    children = [
        spec_to_route(child, f"{path}.routes[{index}]", losses, product=product)
        for index, child in enumerate(spec.get("routes", ()))
    ]
    if children:
        route["routes"] = children
    rest = {name: value for name, value in spec.items() if name not in _OURS and value}
    losses.add_rest(rest, {}, path, f"{product} has no such setting")
    return route


def mapping_at(value: object, path: str) -> Mapping[str, Any]:
    """Return ``value`` if it is a mapping; raise InvalidFieldsError naming the place."""
    if not isinstance(value, Mapping):
        raise InvalidFieldsError({path: ["Must be a mapping."]})
    return value


def _listed(mapping: Mapping[str, Any], name: str, path: str) -> Sequence[Any]:
    value = mapping.get(name) or []
    if not isinstance(value, list):
        raise InvalidFieldsError({f"{path}.{name}": ["Must be a list."]})
    return value
