"""Rule groups that belong to another resource: written with it, deleted with it, by no hand."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import models, transaction

from apps.alerting.models import GeneratedRules, RuleGroup
from apps.alerting.services.rule_specs import rules_problems
from apps.alerting.services.rulegroups import RuleGroupDraft, rulegroup_delete, rulegroup_write
from detectviz.resources.errors import ConflictError, InvalidFieldsError


@transaction.atomic
def generated_group_write(
    *, owner: GeneratedRules, rules: Sequence[dict[str, Any]], interval_ms: int, now: datetime
) -> RuleGroup:
    """Save an owner and write its group anew; raise when a rule is wrong or the name is taken."""
    owner.save()
    problems = rules_problems(rules)
    if problems:
        told = sorted({f"{place}: {' '.join(texts)}" for place, texts in problems.items()})
        raise InvalidFieldsError({"spec": told[:3]})
    rows = RuleGroup.objects.for_org(owner.org_id).select_for_update()
    group = rows.filter(name=owner.group_name).first()
    if group is not None and group.owner != owner.reference:
        raise ConflictError(f"There is a rule group {owner.group_name!r} already; rename it.")
    draft = RuleGroupDraft(
        name=owner.group_name,
        title=owner.title or owner.name,
        labels=owner.labels,
        folder=owner.folder,
        interval_ms=interval_ms,
        rules=rules,
        is_enabled=owner.is_enabled,
    )
    written = rulegroup_write(org=owner.org, draft=draft, instance=group, now=now)
    if group is not None:
        written.resource_version += 1
        written.generation += 1
    written.owner = owner.reference
    written.save(update_fields=["owner", "resource_version", "generation"])
    return written


def generated_group_delete(*, owner: GeneratedRules, now: datetime) -> None:
    """Delete the group of an owner that is about to go; its alerts end."""
    rows: models.QuerySet[RuleGroup] = RuleGroup.objects.for_org(owner.org_id)
    group = rows.filter(name=owner.group_name, owner=owner.reference).first()
    if group is not None:
        rulegroup_delete(group=group, now=now)


def generated_refuse(group: RuleGroup | None) -> None:
    """Raise ConflictError when a group is not to be edited by hand."""
    if group is not None and group.owner:
        message = f"The rules of {group.name!r} are generated; change {group.owner} instead."
        raise ConflictError(message)
