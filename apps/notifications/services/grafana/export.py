"""An org's alerting as one of Grafana's alerting files, and what Grafana has no word for."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from django.db import models

from apps.alerting.services.grafana.export import groups_export
from apps.alerting.services.grafana.files import API_VERSION
from apps.notifications.models import (
    ContactPoint,
    InhibitionRule,
    NotificationTemplate,
    RoutingTree,
    Silence,
    TimeInterval,
)
from apps.notifications.services.alertmanager.receivers import Schemas, notifier_schemas
from apps.notifications.services.alertmanager.routes import INTERVALS, spec_to_route
from apps.notifications.services.configuration import ORG_WIDE, receiver_secrets
from apps.notifications.services.grafana.receivers import settings_of
from apps.notifications.services.matchers import parse_matchers
from apps.notifications.services.time_intervals import intervals_written
from detectviz.resources.formats import Exported
from detectviz.resources.losses import Losses, Names

DEFAULT_POINT: Final = "grafana-default-email"  # the one every Grafana begins with
PERMISSIONS: Final = (
    "rulegroups:read",
    "contactpoints:read",
    "routingtrees:read",
    "timeintervals:read",
    "notificationtemplates:read",
)
_UID_LENGTH: Final = 40


class _Titled(Protocol):
    name: str
    title: str


def grafana_export(*, org: models.Model) -> Exported:
    """Return rules, contact points, policies, times and templates of an org; secrets hidden."""
    losses = Losses()
    points = list(ContactPoint.objects.for_org(org).order_by("name"))
    intervals = list(TimeInterval.objects.for_org(org).order_by("name"))
    templates = NotificationTemplate.objects.for_org(org).order_by("name")
    tree = RoutingTree.objects.for_org(org).first()
    names = {point.name: display_name(point) for point in points}
    times = {interval.name: display_name(interval) for interval in intervals}
    schemas = notifier_schemas()
    sections: dict[str, Sequence[Any]] = {
        "groups": groups_export(org=org, losses=losses),
        "contactPoints": [_point(point, schemas, losses) for point in points],
        "policies": [_policies(tree.root if tree else {}, names, times, losses)],
        "muteTimes": [
            {
                "orgId": 1,
                "name": times[one.name],
                "time_intervals": intervals_written(one.intervals),
            }
            for one in intervals
        ],
        "templates": [
            {"orgId": 1, "name": display_name(one), "template": one.template} for one in templates
        ],
    }
    for model, what in ((InhibitionRule, "inhibition rules"), (Silence, "silences")):
        if model.objects.for_org(org).exists():
            cure = "Export alertmanager.yml, and use an outside Alertmanager there."
            losses.add(what.replace(" ", "_"), f"Grafana's files have no {what}", cure)
    document = {name: entries for name, entries in sections.items() if entries}
    return Exported(document={"apiVersion": API_VERSION, **document}, losses=losses.found)


def display_name(row: _Titled) -> str:
    """Return the title where an import would make the row's name of it, else the name."""
    return row.title if row.title and Names().of(row.title) == row.name else row.name


def _point(point: ContactPoint, schemas: Schemas, losses: Losses) -> dict[str, Any]:
    path = f"contactPoints.{point.name}"
    receivers: list[dict[str, Any]] = []
    for index, receiver in enumerate(point.receivers):
        secrets = receiver_secrets(receiver["name"], point.secrets)
        found = settings_of(
            {**receiver, "secrets": secrets},
            f"{path}.receivers[{index}]",
            schemas=schemas,
            losses=losses,
        )
        if found is not None:
            uid = _uid(point.uid, receiver["name"])
            quiet = not receiver.get("send_resolved", True)
            receivers.append({"uid": uid, **found, "disableResolveMessage": quiet})
    if point.fallback:
        losses.add(f"{path}.fallback", "Grafana has no such setting")
    return {"orgId": 1, "name": display_name(point), "receivers": receivers}


def _policies(
    root: Mapping[str, Any], points: Mapping[str, str], times: Mapping[str, str], losses: Losses
) -> dict[str, Any]:
    for name in ORG_WIDE & root.keys():
        losses.add(f"policies.{name}", "Grafana has no such setting")
    told = {name: value for name, value in root.items() if name not in ORG_WIDE}
    route = spec_to_route(told, "policies", losses, product="Grafana")
    if not route.get("receiver"):
        losses.add(
            "policies.receiver", f"a policy needs one: it is {DEFAULT_POINT}", "Change it there."
        )
    return {"orgId": 1, "receiver": DEFAULT_POINT, **_policy(route, points, times)}


def _policy(
    route: Mapping[str, Any], points: Mapping[str, str], times: Mapping[str, str]
) -> dict[str, Any]:
    found = dict(route)
    if "receiver" in found:
        found["receiver"] = points.get(found["receiver"], found["receiver"])
    for name in INTERVALS:
        if name in found:
            found[name] = [times.get(one, one) for one in found[name]]
    matchers = found.pop("matchers", [])
    if matchers:
        found["object_matchers"] = [
            [one.name, one.op, one.value] for text in matchers for one in parse_matchers(text)
        ]
    if "routes" in found:
        found["routes"] = [_policy(child, points, times) for child in found["routes"]]
    return found


def _uid(*parts: str) -> str:
    """Return the same uid for the same receiver each time."""
    return hashlib.sha256("/".join(parts).encode()).hexdigest()[:_UID_LENGTH]
