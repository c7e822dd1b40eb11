"""An org's routing as ``alertmanager.yml``, and what Alertmanager has no word for."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.conf import settings
from django.db import models

from apps.notifications.models import (
    ContactPoint,
    InhibitionRule,
    RoutingTree,
    Silence,
    TimeInterval,
)
from apps.notifications.services.alertmanager.receivers import (
    Schemas,
    configs_of,
    notifier_schemas,
)
from apps.notifications.services.alertmanager.routes import spec_to_route
from apps.notifications.services.configuration import receiver_secrets
from apps.notifications.services.resolve_timeouts import resolve_timeout_text
from apps.notifications.services.time_intervals import intervals_written
from detectviz.resources.formats import Exported
from detectviz.resources.losses import Losses
from detectviz.resources.yaml import dump_documents

NOBODY = "nobody"
_ORG_WIDE = frozenset({"resolve_timeout"})


def alertmanager_yaml(*, org: models.Model) -> str:
    """Return the file alone."""
    return dump_documents([alertmanager_export(org=org).document])


def alertmanager_export(*, org: models.Model) -> Exported:
    """Return an org's tree, contact points, inhibition rules and time intervals; secrets hidden."""
    losses = Losses()
    points = list(ContactPoint.objects.for_org(org).order_by("name"))
    tree = RoutingTree.objects.for_org(org).first()
    root = tree.root if tree else {}
    told = {name: value for name, value in root.items() if name not in _ORG_WIDE}
    route = spec_to_route(told, "route", losses)
    names = {point.name for point in points}
    schemas = notifier_schemas()
    receivers = [_receiver(point, schemas, losses) for point in points]
    if not route.get("receiver"):
        route["receiver"] = _free(NOBODY, names)
        receivers.append({"name": route["receiver"]})
    document: dict[str, Any] = {
        "global": {"resolve_timeout": resolve_timeout_text(root), **_mail(receivers)},
        "route": route,
        "receivers": receivers,
    }
    rules = InhibitionRule.objects.for_org(org).filter(is_enabled=True).order_by("name")
    document |= _unless_empty("inhibit_rules", [_inhibition(rule) for rule in rules])
    intervals = TimeInterval.objects.for_org(org).order_by("name")
    document |= _unless_empty(
        "time_intervals",
        [
            {"name": one.name, "time_intervals": intervals_written(one.intervals)}
            for one in intervals
        ],
    )
    if Silence.objects.for_org(org).exists():
        losses.add("silences", "silences are no part of the file; amtool copies them")
    return Exported(document=document, losses=losses.found)


def _receiver(point: ContactPoint, schemas: Schemas, losses: Losses) -> dict[str, Any]:
    receivers = [
        {**receiver, "secrets": receiver_secrets(receiver["name"], point.secrets)}
        for receiver in point.receivers
    ]
    path = f"contact_points.{point.name}"
    return {"name": point.name, **configs_of(receivers, path, schemas=schemas, losses=losses)}


def _mail(receivers: Iterable[dict[str, Any]]) -> dict[str, str]:
    """Return what Alertmanager wants for mails; the server is whoever takes the file's own."""
    if not any("email_configs" in receiver for receiver in receivers):
        return {}
    return {"smtp_smarthost": "localhost:25", "smtp_from": settings.DEFAULT_FROM_EMAIL}


def _inhibition(rule: InhibitionRule) -> dict[str, Any]:
    return {
        "source_matchers": rule.source_matchers,
        "target_matchers": rule.target_matchers,
        **_unless_empty("equal", rule.equal),
    }


def _unless_empty(name: str, values: Sequence[Any]) -> dict[str, Any]:
    return {name: list(values)} if values else {}


def _free(name: str, taken: Iterable[str]) -> str:
    while name in taken:
        name += "-"
    return name
