"""Writes escalation policies, and says which there are."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import models

from apps.notifications.selectors import contact_point_list, routing_tree_get
from apps.notifications.services.routing import build_tree, flatten
from apps.oncall.models import EscalationPolicy, OnCallSchedule
from apps.oncall.services.participants import participants_require
from detectviz.resources.errors import InvalidFieldsError, ResourceInUseError

TARGETS = ("schedule", "user", "team", "contact_point")


def policy_write(
    *,
    org: models.Model,
    name: str,
    spec: Mapping[str, Any],
    instance: EscalationPolicy | None,
) -> EscalationPolicy:
    """Create or update a policy; runs under way go on as they began."""
    _require_targets(org, spec["steps"])
    policy = instance or EscalationPolicy(org_id=org.pk, name=name)
    policy.title = spec["title"]
    policy.description = spec["description"]
    policy.steps = [dict(step) for step in spec["steps"]]
    policy.repeat = spec["repeat"]
    policy.save()
    return policy


def policy_delete(*, policy: EscalationPolicy) -> None:
    """Delete a policy that no route names."""
    tree = routing_tree_get(org=policy.org)
    if tree and any(route.escalation == policy.name for route in flatten(build_tree(tree.root))):
        raise ResourceInUseError(
            f"Escalation policy {policy.name!r} is named by the routing tree; change it first."
        )
    policy.delete()


def policy_titles(org_id: int) -> dict[str, str]:
    """Return what people call the policies of an org, by name."""
    rows = EscalationPolicy.objects.for_org(org_id).order_by("name")
    return {name: title or name for name, title in rows.values_list("name", "title")}


def policies_telling(org_id: int, contact_point: str) -> dict[str, str]:
    """Return the policies with a step that tells a contact point, as name and title."""
    return {
        policy.name: policy.title or policy.name
        for policy in EscalationPolicy.objects.for_org(org_id).order_by("name")
        if any(
            target_of(target) == ("contact_point", contact_point)
            for step in policy.steps
            for target in step["targets"]
        )
    }


def target_of(target: Mapping[str, str]) -> tuple[str, str]:
    """Return what a target is and its name."""
    return next((kind, target[kind]) for kind in TARGETS if target.get(kind))


def _require_targets(org: models.Model, steps: Sequence[Mapping[str, Any]]) -> None:
    schedules = set(OnCallSchedule.objects.for_org(org).values_list("name", flat=True))
    points = set(contact_point_list(org=org).values_list("name", flat=True))
    errors: dict[str, list[str]] = {}
    named: list[tuple[str, str]] = []
    for number, step in enumerate(steps):
        for place, target in enumerate(step["targets"]):
            kind, name = target_of(target)
            path = f"spec.steps[{number}].targets[{place}].{kind}"
            if kind in {"user", "team"}:
                named.append((path, name if kind == "user" else f"team:{name}"))
            elif name not in (schedules if kind == "schedule" else points):
                errors[path] = [f"There is no {kind.replace('_', ' ')} {name!r}."]
    if errors:
        raise InvalidFieldsError(errors)
    participants_require(org=org, named=named)
