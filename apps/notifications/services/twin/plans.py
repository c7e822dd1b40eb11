"""Configurations as values: the stored one, and what manifests would make of it."""

from collections.abc import Collection, Mapping
from copy import copy
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.db import models, transaction

from apps.alerting.selectors import rulegroup_folders
from apps.notifications.models import (
    ContactPoint,
    InhibitionRule,
    RoutingTree,
    Silence,
    TimeInterval,
)
from apps.notifications.services.bootstrap import DEFAULT_ROOT
from apps.notifications.services.inhibition import inhibition_of
from apps.notifications.services.routing import build_tree
from apps.notifications.services.twin.proposals import Proposal
from apps.notifications.services.twin.values import Plan
from detectviz.permissions.access import Access
from detectviz.resources.errors import InvalidFieldsError
from detectviz.resources.manifests import manifests_apply

_RULE = "InhibitionRule"
_SILENCE = "Silence"


def plan_stored(org: models.Model) -> Plan:
    """Return the present configuration of an org; six queries."""
    tree = RoutingTree.objects.for_org(org).first()
    rules = InhibitionRule.objects.for_org(org).filter(is_enabled=True).order_by("name")
    return Plan(
        org_id=org.pk,
        root=build_tree(tree.root if tree else DEFAULT_ROOT),
        points={row.name: row for row in ContactPoint.objects.for_org(org)},
        silences=list(Silence.objects.for_org(org).order_by("pk")),
        inhibitions=[inhibition_of(row) for row in rules],
        intervals=dict(TimeInterval.objects.for_org(org).values_list("name", "intervals")),
        folders=rulegroup_folders(org.pk),
    )


def plan_proposed(
    *,
    org: models.Model,
    actor: models.Model | None,
    access: Access | None,
    proposal: Proposal,
    without: Collection[str] = (),
    since: datetime,
) -> Plan:
    """Return the configuration as it would be with a proposal applied and ``without`` gone.

    The proposal is really applied, with all checks and rights, and rolled back. An
    ``alertmanager.yml`` is complete: inhibition rules it does not have are gone. ``without`` names
    silences and inhibition rules as ``Kind/name``. A new silence that names no start holds from
    ``since`` on. Raise InvalidFieldsError, or ForbiddenError where ``access`` may not write that.
    """
    gone = [_named(text) for text in without]
    native = proposal.documents
    before = set(Silence.objects.for_org(org).values_list("name", flat=True))
    with transaction.atomic():
        manifests_apply(org=org, actor=actor, access=access, documents=native)
        plan = plan_stored(org)
        transaction.set_rollback(True)
    if proposal.is_complete:
        kept = {_name(each) for each in native if each["kind"] == _RULE}
        gone += [(_RULE, rule.name) for rule in plan.inhibitions if rule.name not in kept]
    early = {
        _name(each)
        for each in native
        if each["kind"] == _SILENCE and "starts_at" not in each.get("spec", {})
    }
    return _without(_begun(plan, early - before, since), gone)


def _named(text: str) -> tuple[str, str]:
    kind, _, name = text.partition("/")
    if kind not in {_SILENCE, _RULE} or not name:
        raise InvalidFieldsError({"without": [f"{text!r}: write Silence/name, {_RULE}/name."]})
    return kind, name


def _name(document: Mapping[str, Any]) -> str:
    return str(document["metadata"]["name"])


def _begun(plan: Plan, names: Collection[str], since: datetime) -> Plan:
    silences = [copy(row) for row in plan.silences]
    for row in silences:
        if row.name in names:
            row.starts_at = min(row.starts_at, since)
    return replace(plan, silences=silences)


def _without(plan: Plan, gone: Collection[tuple[str, str]]) -> Plan:
    return replace(
        plan,
        silences=[row for row in plan.silences if (_SILENCE, row.name) not in gone],
        inhibitions=[rule for rule in plan.inhibitions if (_RULE, rule.name) not in gone],
    )
