"""Writing contact points and the routing tree."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from django.db import models, transaction

from apps.extensions.services import StoredConfiguration, configuration_check, manifest_require
from apps.notifications.enums import SuppressionEnding
from apps.notifications.models import (
    AlertGroup,
    ContactPoint,
    RoutedAlert,
    RoutingTree,
    TimeInterval,
)
from apps.notifications.services.escalation import policies_telling, policy_titles
from apps.notifications.services.ledger import alerts_sync, entries_close
from apps.notifications.services.route_uses import contact_point_uses
from apps.notifications.services.routing import EVERY_LABEL
from apps.notifications.services.templates import template_errors, text_errors
from detectviz.clock import utc_now
from detectviz.contracts.durations import parse_duration_s
from detectviz.contracts.manifest import Manifest
from detectviz.contracts.types import PluginKind
from detectviz.resources.errors import InvalidFieldsError, ResourceInUseError
from detectviz.runtime.wakeups import wake_on_commit
from detectviz.tenancy.listed import Keys

DISPATCH = "notifications.dispatch"

# Alertmanager's defaults: it has them off for mail, Slack and WeChat, on for all others.
RECEIVER_TEXTS = ("title_template", "text_template", "rate_limit")
ORG_WIDE = frozenset({"silence_policy", "resolve_timeout"})  # on a tree's root, about no route
RELIABILITY = {"fallback": "", "fallback_after": "5m", "give_up_after": "1d"}
QUIET_ABOUT_RESOLVED = frozenset({"email", "slack", "wecom"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The names a tree may refer to."""

    points: AbstractSet[str]
    policies: AbstractSet[str]
    intervals: AbstractSet[str]


def _is_kept(stored: Mapping[str, Any] | None, receiver: Mapping[str, Any]) -> bool:
    return stored is not None and stored["notifier"] == receiver["notifier"]


def contact_point_write(
    *,
    org: models.Model,
    name: str,
    title: str,
    receivers: Sequence[Mapping[str, Any]],
    instance: ContactPoint | None,
    reliability: Mapping[str, Any] | None = None,
) -> ContactPoint:
    """Create or update a contact point; every wrong field is named.

    ``reliability`` may hold fallback (a contact point's name), fallback_after and give_up_after
    (durations); what it does not say becomes the default.
    """
    point = instance or ContactPoint(org_id=org.pk, name=name)
    stored = {item["name"]: item for item in point.receivers} if instance else {}
    stored_secrets = dict(point.secrets) if instance else {}
    checked: list[dict[str, Any]] = []
    secrets: dict[str, str] = {}
    errors: dict[str, list[str]] = {}
    for index, (receiver_name, receiver) in enumerate(_named(receivers)):
        path = f"spec.receivers[{index}]"
        try:
            manifest = manifest_require(
                kind=PluginKind.NOTIFIER,
                name=receiver["notifier"],
                path=f"{path}.notifier",
                org=None if _is_kept(stored.get(receiver_name), receiver) else org,
            )
            outcome = configuration_check(
                manifest=manifest,
                config=receiver.get("config", {}),
                secrets=receiver.get("secrets", {}),
                stored=_stored(stored.get(receiver_name), stored_secrets),
                path=path,
            )
            errors |= dict(_template_errors(manifest, receiver, outcome.config, path))
        except InvalidFieldsError as error:
            errors |= error.fields
            continue
        secrets |= {f"{receiver_name}/{key}": value for key, value in outcome.secrets.items()}
        checked.append(
            {
                "name": receiver_name,
                "notifier": manifest.name,
                "config": outcome.config,
                "send_resolved": receiver.get(
                    "send_resolved", manifest.name not in QUIET_ABOUT_RESOLVED
                ),
                "enabled": receiver.get("enabled", True),
                **{key: receiver[key] for key in RECEIVER_TEXTS if receiver.get(key)},
            }
        )
    wanted = {**RELIABILITY, **(reliability or {})}
    errors |= dict(_fallback_errors(org, name, wanted["fallback"]))
    if errors:
        raise InvalidFieldsError(errors)
    point.title = title
    point.receivers = checked
    point.secrets = secrets
    point.fallback = wanted["fallback"]
    point.fallback_after_ms = round(parse_duration_s(wanted["fallback_after"]) * 1000)
    point.give_up_after_ms = round(parse_duration_s(wanted["give_up_after"]) * 1000)
    point.save()
    return point


def contact_point_delete(*, point: ContactPoint) -> None:
    """Delete a contact point that nothing names; the error says what does."""
    if uses := contact_point_uses(org_id=point.org_id, name=point.name):
        routes = "; ".join(each.text for each in uses)
        raise ResourceInUseError(
            f"Contact point {point.name!r} is used by the routing tree: {routes}. "
            "Change the route first."
        )
    if policies := policies_telling(org_id=point.org_id, contact_point=point.name):
        raise ResourceInUseError(
            f"Contact point {point.name!r} is told by escalation policies: "
            f"{', '.join(policies)}. Change them first."
        )
    told_instead = ContactPoint.objects.for_org(point.org_id).filter(fallback=point.name)
    if first := told_instead.exclude(pk=point.pk).values_list("name", flat=True).first():
        raise ResourceInUseError(
            f"Contact point {point.name!r} is the fallback of {first!r}; change that first."
        )
    point.delete()


def _template_errors(
    manifest: Manifest, receiver: Mapping[str, Any], config: Mapping[str, Any], path: str
) -> Iterator[tuple[str, list[str]]]:
    yield from template_errors(manifest.config_schema, config, f"{path}.config")
    for name in ("title_template", "text_template"):
        yield from text_errors(receiver.get(name, ""), f"{path}.{name}")


def _fallback_errors(
    org: models.Model, name: str, fallback: str
) -> Iterator[tuple[str, list[str]]]:
    """Yield what is wrong with a fallback: it must be another one that is there."""
    if not fallback:
        return
    others = ContactPoint.objects.for_org(org).exclude(name=name)
    known = sorted(others.values_list("name", flat=True))
    if fallback not in known:
        told = ", ".join(known) or "none yet"
        yield "spec.fallback", [f"There is no other contact point {fallback!r}. Known: {told}."]


@transaction.atomic
def routing_tree_write(
    *, org: models.Model, name: str, root: Mapping[str, Any], instance: RoutingTree | None
) -> RoutingTree:
    """Write the tree. Alerts that are active are routed anew; what was sent stays remembered."""
    known = Known(
        policies=policy_titles(org.pk).keys(),
        points=set(ContactPoint.objects.for_org(org).values_list("name", flat=True)),
        intervals=set(TimeInterval.objects.for_org(org).values_list("name", flat=True)),
    )
    errors = dict(_tree_errors(root, "spec", known, is_root=True))
    if errors:
        raise InvalidFieldsError(errors)
    tree = instance or RoutingTree(org_id=org.pk, name=name)
    is_changed = instance is None or _routing(tree.root) != _routing(root)
    tree.root = dict(root)
    tree.save()
    if is_changed:
        _route_anew(org)
        wake_on_commit(DISPATCH)
    return tree


def _routing(root: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a tree says of where alerts go."""
    return {name: value for name, value in root.items() if name not in ORG_WIDE}


def _route_anew(org: models.Model) -> None:
    """End every group; the dispatcher looks at every alert again. Locks in the usual order."""
    # Written is what was locked: rows that came meanwhile would be locked in no order.
    alerts = RoutedAlert.objects.for_org(org)
    alerts.filter(pk__in=_locked(alerts.order_by("fingerprint"))).update(routed_version=0)
    groups = AlertGroup.objects.for_org(org)
    groups.filter(pk__in=_locked(groups.order_by("key_digest"))).delete()
    closed = entries_close(org_id=org.pk, ending=SuppressionEnding.REROUTED, now=utc_now())
    alerts_sync(org_id=org.pk, fingerprints=closed)


def _locked(rows: "models.QuerySet[Any]") -> Keys:
    return Keys(rows.select_for_update().values_list("pk", flat=True))


def _named(
    receivers: Sequence[Mapping[str, Any]],
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Give each receiver a name of its own: as written, else its notifier's, numbered."""
    written = [receiver["name"] for receiver in receivers if receiver.get("name")]
    doubled = [name for name, count in Counter(written).items() if count > 1]
    if doubled:
        raise InvalidFieldsError(
            {"spec.receivers": [f"Two receivers are called {doubled[0]!r}; names must differ."]}
        )
    taken = set(written)
    for receiver in receivers:
        name = receiver.get("name", "")
        number = 1
        while not name:
            candidate = receiver["notifier"] + (f"-{number}" if number > 1 else "")
            name = "" if candidate in taken else candidate
            number += 1
        taken.add(name)
        yield name, receiver


def _stored(
    receiver: Mapping[str, Any] | None, secrets: Mapping[str, str]
) -> StoredConfiguration | None:
    if receiver is None:
        return None
    return StoredConfiguration(
        plugin=receiver["notifier"],
        config=receiver["config"],
        secrets=receiver_secrets(receiver["name"], secrets),
    )


def receiver_secrets(name: str, secrets: Mapping[str, str]) -> dict[str, str]:
    """Return the secrets of one receiver."""
    prefix = f"{name}/"
    return {
        key.removeprefix(prefix): value for key, value in secrets.items() if key.startswith(prefix)
    }


def _tree_errors(
    node: Mapping[str, Any], path: str, known: Known, *, is_root: bool
) -> Iterator[tuple[str, list[str]]]:
    point = node.get("contact_point", "")
    if point and point not in known.points:
        names = ", ".join(sorted(known.points)) or "none yet"
        yield f"{path}.contact_point", [f"There is no contact point {point!r}. Known: {names}."]
    yield from _times_errors(node, path, known, is_root=is_root)
    policy = node.get("escalation", "")
    if policy and policy not in known.policies:
        names = ", ".join(sorted(known.policies)) or "none yet"
        yield (
            f"{path}.escalation",
            [f"There is no escalation policy {policy!r}. Known: {names}."],
        )
    for field in sorted(ORG_WIDE & node.keys()) if not is_root else ():
        yield f"{path}.{field}", ["It holds for the whole org: put it on the root."]
    if is_root and node.get("matchers"):
        yield f"{path}.matchers", ["The root must match every alert; put matchers on its routes."]
    if is_root and node.get("continue"):
        yield f"{path}.continue", ["The root has no sibling to continue to."]
    group_by = node.get("group_by") or []
    if EVERY_LABEL in group_by and len(group_by) > 1:
        yield f"{path}.group_by", ["'...' groups by every label and stands alone."]
    if len(set(group_by)) != len(group_by):
        yield f"{path}.group_by", ["A label is listed twice."]
    for index, child in enumerate(node.get("routes", ())):
        yield from _tree_errors(child, f"{path}.routes[{index}]", known, is_root=False)


def _times_errors(
    node: Mapping[str, Any], path: str, known: Known, *, is_root: bool
) -> Iterator[tuple[str, list[str]]]:
    for field in ("mute_time_intervals", "active_time_intervals"):
        named = node.get(field) or []
        if named and is_root:
            yield f"{path}.{field}", ["The root has no times; put them on its routes."]
        if missing := [name for name in named if name not in known.intervals]:
            names = ", ".join(sorted(known.intervals)) or "none yet"
            yield (
                f"{path}.{field}",
                [f"There is no time interval {missing[0]!r}. Known: {names}."],
            )
