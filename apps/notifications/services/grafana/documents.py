"""Grafana's alerting files to manifests: rules, contact points, times, templates, the tree."""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, Final

from django.db import models

from apps.alerting.services.grafana.files import (
    is_alerting_file,
    items_of,
    lose_deletions,
    lose_orgs,
    mappings_at,
)
from apps.alerting.services.grafana.rules import NOTIFY_LABEL, OwnRoute, RuleImport
from apps.alerting.services.grafana.sources import Sources
from apps.notifications.models import ContactPoint, RoutingTree, TimeInterval
from apps.notifications.services.alertmanager.receivers import notifier_schemas
from apps.notifications.services.alertmanager.routes import DURATIONS, INTERVALS, route_to_spec
from apps.notifications.services.bootstrap import TREE_NAME
from apps.notifications.services.configuration import ORG_WIDE
from apps.notifications.services.foreign_intervals import empty_lists_lose
from apps.notifications.services.grafana.receivers import ReceiverImport, Schemas
from apps.notifications.services.matchers import LabelMatcher
from apps.notifications.services.templates import TemplateProblem, template_check
from detectviz.resources.errors import InvalidFieldsError
from detectviz.resources.formats import Conversion
from detectviz.resources.losses import Losses, Names
from detectviz.resources.targets import Target

Found = Iterator[tuple[str, dict[str, Any]]]
_POLICY_FRAME: Final = {"orgId", "provenance", "object_matchers"}
_SETTINGS: Final = ("group_by", *DURATIONS, *INTERVALS)
_MATCHER_PARTS: Final = 3


def grafana_file_read(
    document: Mapping[str, Any], target: Target | None = None
) -> Conversion | None:
    """Return one of Grafana's alerting files as manifests and losses; None when it is none.

    With an org what the file refers to is looked up there: datasources of rules, contact
    points and times of policies, stored secrets. Raise InvalidFieldsError naming the field that
    can't be understood.
    """
    if not is_alerting_file(document):
        return None
    target = target or Target()
    org, losses = target.org, Losses()
    sources = Sources(org=org, renamed=target.datasources)
    sources.require()
    rules = RuleImport(org=org, losses=losses, sources=sources)
    routing = _RoutingImport(
        document=document, known=_Known.of(org), schemas=notifier_schemas(), losses=losses
    )
    found = [*rules.manifests(document), *routing.manifests(rules.routes)]
    lose_deletions(document, losses)
    lose_orgs(document, losses)
    return Conversion(
        manifests=[manifest for _, manifest in found],
        origins=[path for path, _ in found],
        losses=losses.found,
        datasources=list(sources.asked),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What an org has already; None of everything where no org is known."""

    points: AbstractSet[str] | None = None
    intervals: AbstractSet[str] | None = None
    secrets: Mapping[str, set[str]] = field(default_factory=dict)
    root: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, org: models.Model | None) -> "_Known":
        if org is None:
            return cls()
        points = list(ContactPoint.objects.for_org(org))
        intervals = TimeInterval.objects.for_org(org).values_list("name", flat=True)
        tree = RoutingTree.objects.for_org(org).first()
        return cls(
            root=tree.root if tree else {},
            points={point.name for point in points},
            intervals=set(intervals),
            secrets={point.name: set(point.secrets) for point in points},
        )


@dataclass(slots=True, kw_only=True)
class _RoutingImport:
    document: Mapping[str, Any]
    known: _Known
    schemas: Schemas
    losses: Losses
    _points: Names = field(default_factory=Names)
    _intervals: Names = field(default_factory=Names)
    _templates: Names = field(default_factory=Names)
    _made: dict[str, set[str]] = field(default_factory=lambda: {"points": set(), "times": set()})

    def manifests(self, routes: Sequence[OwnRoute]) -> Found:
        """Return everything but rules, the tree last."""
        yield from self._contact_points()
        yield from self._time_intervals()
        yield from self._template_files()
        yield from self._tree(routes)

    def _contact_points(self) -> Found:
        reader = ReceiverImport(schemas=self.schemas, losses=self.losses, stored=self.known.secrets)
        for path, point, title, name in self._named("contactPoints", self._points):
            self._made["points"].add(name)
            receivers = reader.receivers(point.get("receivers"), f"{path}.receivers", name)
            self._lose_rest(point, {"orgId", "name", "receivers"}, path)
            spec = {"title": title, "receivers": receivers}
            yield path, _manifest("notifications/v1", "ContactPoint", name, spec)

    def _time_intervals(self) -> Found:
        for path, interval, title, name in self._named("muteTimes", self._intervals):
            self._made["times"].add(name)
            self._lose_rest(interval, {"orgId", "name", "time_intervals"}, path)
            written = interval.get("time_intervals") or []
            empty_lists_lose(written, f"{path}.time_intervals", self.losses)
            spec = {"title": title, "time_intervals": written}
            yield path, _manifest("alerting/v1", "TimeInterval", name, spec)

    def _template_files(self) -> Found:
        for path, template, title, name in self._named("templates", self._templates):
            text = str(template.get("template") or "")
            self._lose_rest(template, {"orgId", "orgID", "name", "template"}, path)
            try:
                if not template_check(text, where=title):
                    text = f'{{{{ define "{title}" }}}}{text}{{{{ end }}}}'
                    template_check(text, where=title)
            except TemplateProblem as problem:
                why = f"the template is left out: {str(problem).rstrip('.')}"
                self.losses.add(f"{path}.template", why, "Write it anew as a message template.")
                continue
            spec = {"title": title, "template": text}
            yield path, _manifest("notifications/v1", "NotificationTemplate", name, spec)

    def _tree(self, routes: Sequence[OwnRoute]) -> Found:
        policies = list(items_of(self.document, "policies"))
        for path, _ in policies[1:]:
            self.losses.add(path, "an org has one tree", "Split the file by orgId.")
        if not policies:
            for route in routes:
                self.losses.add(
                    route.path,
                    f"the file has no policies: its alerts carry {NOTIFY_LABEL}={route.label!r}",
                    "Add a route for this label to the routing tree.",
                )
            return
        path, policy = policies[0]
        root = self._route(policy, path)
        # What is about the whole org and no word of Grafana's stays as it is here.
        root |= {name: self.known.root[name] for name in ORG_WIDE if name in self.known.root}
        own = [
            self._route(_policy_of(route), route.path, is_own=True)
            | {"matchers": [str(LabelMatcher(NOTIFY_LABEL, "=", route.label))]}
            for route in routes
        ]
        if own:
            root["routes"] = [*own, *root.get("routes", [])]
        yield path, _manifest("notifications/v1", "RoutingTree", TREE_NAME, root)

    def _route(
        self, policy: Mapping[str, Any], path: str, *, is_own: bool = False
    ) -> dict[str, Any]:
        spec = route_to_spec(
            policy if is_own else _with_matchers(policy, path),
            path,
            receiver_name=self._points.of,
            interval_name=self._intervals.of,
            losses=self.losses,
        )
        self._check(spec, path)
        return spec

    def _check(self, spec: dict[str, Any], path: str) -> None:
        """Leave out of a route, and those below, what is neither in the file nor in the org."""
        points, intervals = self.known.points, self.known.intervals
        point = spec.get("contact_point")
        if point and points is not None and point not in points | self._made["points"]:
            del spec["contact_point"]
            self.losses.add(
                f"{path}.receiver",
                f"there is no contact point {point!r}, in the file or here: its parent's is told",
                "Make the contact point and choose it in the routing tree.",
            )
        for name in INTERVALS:
            named = spec.get(name, [])
            if intervals is None or not named:
                continue
            for one in sorted(set(named) - intervals - self._made["times"]):
                why = f"there is no time interval {one!r}, in the file or here"
                self.losses.add(f"{path}.{name}", why, "Make it and choose it in the route.")
                named.remove(one)
            if not named:
                del spec[name]
        for index, child in enumerate(spec.get("routes", ())):
            self._check(child, f"{path}.routes[{index}]")

    def _named(
        self, section: str, names: Names
    ) -> Iterator[tuple[str, Mapping[str, Any], str, str]]:
        for path, entry in items_of(self.document, section):
            title = str(entry.get("name") or "")
            if not title:
                raise InvalidFieldsError({f"{path}.name": ["It needs a name."]})
            yield path, entry, title[:200], names.of(title)

    def _lose_rest(self, entry: Mapping[str, Any], known: set[str], path: str) -> None:
        for name in entry.keys() - known:
            self.losses.add(f"{path}.{name}", "unknown field")


def _policy_of(route: OwnRoute) -> dict[str, Any]:
    settings = {name: route.settings[name] for name in _SETTINGS if route.settings.get(name)}
    return {"receiver": route.settings["receiver"], **settings}


def _with_matchers(policy: Mapping[str, Any], path: str) -> dict[str, Any]:
    """Return a policy whose matchers are all written as Alertmanager writes them."""
    found = {name: value for name, value in policy.items() if name not in _POLICY_FRAME}
    objects = policy.get("object_matchers") or []
    place = f"{path}.object_matchers"
    if not isinstance(objects, list):
        raise InvalidFieldsError({place: ["Must be a list."]})
    matchers = []
    for index, each in enumerate(objects):
        if not isinstance(each, list) or len(each) != _MATCHER_PARTS:
            message = "Must be [label, operator, value]."
            raise InvalidFieldsError({f"{place}[{index}]": [message]})
        name, op, value = map(str, each)
        if op not in {"=", "!=", "=~", "!~"}:
            raise InvalidFieldsError({f"{place}[{index}]": [f"There is no operator {op!r}."]})
        matchers.append(str(LabelMatcher(name, op, value)))
    if matchers:
        written = policy.get("matchers") or []
        found["matchers"] = [*([written] if isinstance(written, str) else written), *matchers]
    if policy.get("routes"):
        found["routes"] = [
            _with_matchers(child, place)
            for place, child in mappings_at(policy["routes"], f"{path}.routes")
        ]
    return found


def _manifest(api_version: str, kind: str, name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": name},
        "spec": dict(spec),
    }
