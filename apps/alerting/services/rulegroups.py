"""Writes rule groups: rules keep their alerts while kind, name and labels stay the same."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import models, transaction
from django.db.models import F

from apps.alerting.enums import RuleEvaluator, RuleHealth, RuleKind, TransitionReason
from apps.alerting.models import Alert, Rule, RuleGroup
from apps.alerting.services.alert_rows import alerts_lock, instance_of
from apps.alerting.services.dependencies import dependency_cycle, dependency_of
from apps.alerting.services.dependency_blocks import dependency_graph
from apps.alerting.services.outcomes import events_save
from apps.alerting.services.plans import RulePlan
from apps.alerting.services.recording import Family, RecordingsEnd, recordings_end
from apps.alerting.services.rule_specs import rule_plan
from apps.alerting.services.schedule import slot_after
from apps.alerting.services.state_machine import alerts_cleared
from apps.alerting.services.state_values import RuleTerms, Step
from apps.series.services import series_store
from detectviz.clock import to_ms
from detectviz.resources.errors import InvalidFieldsError
from detectviz.tenancy.writing import rows_write
from detectviz.tsdb.interface import Sample

_EVALUATED = ("epoch", "next_due_at", "last_eval_at", "last_duration_s", "missed_iterations")


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleGroupDraft:
    """A validated rule group; ``rules`` are the rules as written."""

    name: str
    title: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    folder: models.Model | None = None
    interval_ms: int = 60_000
    limit: int = 0
    query_offset_ms: int = 0
    evaluation: str = RuleEvaluator.ENGINE.value
    shared_labels: Mapping[str, str] = field(default_factory=dict)
    rules: Sequence[Mapping[str, Any]] = ()
    is_enabled: bool = True
    is_builtin: bool = False


@transaction.atomic
def rulegroup_write(
    *, org: models.Model, draft: RuleGroupDraft, instance: RuleGroup | None, now: datetime
) -> RuleGroup:
    """Create or update a group with its rules.

    Alerts of rules that are gone, changed their labels or were switched off end at once. An
    evaluation under way is fenced out and done again with the new rules.
    """
    _cycles_refuse(org, draft)
    if instance is not None:
        _fence(instance)
    group = instance or RuleGroup(org_id=org.pk, name=draft.name, is_builtin=draft.is_builtin)
    is_rescheduled = (
        instance is None
        or group.next_due_at is None
        or (group.interval_ms, group.is_enabled) != (draft.interval_ms, draft.is_enabled)
    )
    group.title = draft.title
    group.labels = dict(draft.labels)
    group.folder_id = draft.folder.pk if draft.folder else None
    group.interval_ms = draft.interval_ms
    group.limit = draft.limit
    group.query_offset_ms = draft.query_offset_ms
    group.evaluation = draft.evaluation
    group.shared_labels = dict(draft.shared_labels)
    group.spec_rules = [dict(rule) for rule in draft.rules]
    group.asks_datasources = any(rule.get("queries") for rule in draft.rules)
    group.is_enabled = draft.is_enabled
    if is_rescheduled:
        group.next_due_at = slot_after(group.uid, group.interval_ms, now)
    group.epoch += 1
    group.lease_owner, group.lease_until = "", None
    group.save()
    _rules_replace(group, now=now)
    _alerts_move(group)
    return group


def _fence(group: RuleGroup) -> None:
    """Lock a group, and take from its row what evaluations have written since it was read.

    Else the next epoch could be the one of an evaluation that began meanwhile by the old rules.
    """
    locked = RuleGroup.objects.for_org(group.org_id).select_for_update()
    group.refresh_from_db(fields=_EVALUATED, from_queryset=locked)


def _alerts_move(group: RuleGroup) -> None:
    """Put the alerts of a group that was moved into its folder."""
    rows = Alert.objects.for_org(group.org_id).filter(rule__group=group)
    names = dict(rows.values_list("name", "folder"))
    moved = [name for name, folder in names.items() if folder != group.folder_id]
    if moved:
        alerts_lock(org_id=group.org_id, names=moved)
        rows.update(folder=group.folder_id)


def _cycles_refuse(org: models.Model, draft: RuleGroupDraft) -> None:
    """Raise InvalidFieldsError when rules of a group would depend on themselves."""
    mine = {
        (draft.name, rule["alert"]): [dependency_of(entry) for entry in rule["depends_on"]]
        for rule in draft.rules
        if rule.get("depends_on")
    }
    if not mine:
        return
    graph = {
        ref: dependencies
        for ref, dependencies in dependency_graph(org.pk).items()
        if ref[0] != draft.name
    } | mine
    for place, rule in enumerate(draft.rules):
        ref = (draft.name, rule.get("alert", ""))
        way = dependency_cycle([ref], graph) if ref in mine else []
        if way:
            told = " → ".join(
                name if group == draft.name else f"{group}/{name}" for group, name in way
            )
            message = f"A rule can't depend on itself: {told}."
            raise InvalidFieldsError({f"spec.rules[{place}].depends_on": [message]})


@transaction.atomic
def rulegroup_delete(*, group: RuleGroup, now: datetime) -> None:
    """Delete a group; its firing alerts are told to have ended, the history stays."""
    RuleGroup.objects.for_org(group.org_id).filter(pk=group.pk).update(epoch=F("epoch") + 1)
    rules = list(Rule.objects.for_org(group.org_id).filter(group=group))
    _alerts_end(group, {TransitionReason.RULE_DELETED: rules}, now=now)
    _recordings_end(group, rules, now=now)
    group.delete()


def _rules_replace(group: RuleGroup, *, now: datetime) -> None:
    left: dict[tuple[Any, ...], list[Rule]] = defaultdict(list)
    for rule in Rule.objects.for_org(group.org_id).filter(group=group).order_by("position"):
        left[_identity(rule.kind, rule.name, rule.labels)].append(rule)
    stopped: list[Rule] = []
    new: list[Rule] = []
    for position, spec in enumerate(group.spec_rules):
        plan = rule_plan(spec, key=str(position), shared_labels=group.shared_labels)
        same = left[_identity(plan.kind, plan.name, plan.labels)]
        rule = same.pop(0) if same else Rule(org_id=group.org_id, group=group)
        before = _values_of(rule)
        is_enabled = spec.get("enabled", True) and group.is_enabled
        if rule.pk and rule.is_enabled and not is_enabled:
            stopped.append(rule)
        _rule_fill(rule, spec, plan, position=position, is_enabled=is_enabled)
        if not rule.pk:
            new.append(rule)
        elif _values_of(rule) != before:
            rule.save()
    rows_write(new)
    removed = [rule for rules in left.values() for rule in rules]
    names = {spec.get("alert") for spec in group.spec_rules}
    updated = [rule for rule in removed if rule.name in names]
    deleted = [rule for rule in removed if rule.name not in names]
    ending = {
        TransitionReason.PAUSED: stopped,
        TransitionReason.UPDATED: updated,
        TransitionReason.RULE_DELETED: deleted,
    }
    _alerts_end(group, ending, now=now)
    _recordings_end(group, [*stopped, *removed], now=now)
    pks = [rule.pk for rule in removed]
    Rule.objects.for_org(group.org_id).filter(pk__in=pks).delete()


def _identity(kind: str, name: str, labels: Mapping[str, str]) -> tuple[Any, ...]:
    return (str(kind), name, tuple(sorted(labels.items())))


def _values_of(rule: Rule) -> dict[str, Any]:
    return {column.attname: getattr(rule, column.attname) for column in Rule._meta.concrete_fields}


def _rule_fill(
    rule: Rule, spec: Mapping[str, Any], plan: RulePlan, *, position: int, is_enabled: bool
) -> None:
    rule.position = position
    rule.kind = plan.kind
    rule.name = plan.name
    rule.expr = plan.expr
    rule.queries = [dict(query) for query in plan.queries]
    rule.condition = plan.condition
    rule.for_ms = plan.for_ms
    rule.keep_firing_for_ms = plan.keep_firing_for_ms
    rule.labels = dict(plan.labels)
    rule.annotations = dict(plan.annotations)
    rule.no_data = plan.no_data
    rule.on_error = plan.on_error
    rule.missing_series_evaluations = plan.missing_evaluations
    rule.recovery_expr = plan.recovery_expr
    rule.recovery_condition = plan.recovery_condition
    rule.limit = plan.limit
    rule.low_flap_threshold = plan.flapping.low if plan.flapping else None
    rule.high_flap_threshold = plan.flapping.high if plan.flapping else None
    rule.holds_flapping = bool(spec.get("hold_while_flapping"))
    rule.depends_on = list(spec.get("depends_on") or ())
    rule.is_enabled = is_enabled
    if not is_enabled:
        rule.health, rule.last_error, rule.first_eval_at = RuleHealth.UNKNOWN, "", None
        rule.failing_datasources = []


def _alerts_end(
    group: RuleGroup, ending: Mapping[TransitionReason, Sequence[Rule]], *, now: datetime
) -> None:
    """Tell of the ends of rules' alerts by reason, then forget them: their rows are locked last."""
    reasons = {
        rule: reason
        for reason, rules in ending.items()
        for rule in rules
        if rule.kind == RuleKind.ALERTING
    }
    rows = list(Alert.objects.for_org(group.org_id).filter(rule__in=list(reasons)))
    steps: list[tuple[Rule, Step]] = []
    for rule, reason in reasons.items():
        instances = [instance_of(row) for row in rows if row.rule_id == rule.pk]
        terms = RuleTerms(name=rule.name, query_offset_ms=group.query_offset_ms)
        steps.append((rule, alerts_cleared(terms, instances, at_ms=to_ms(now), reason=reason)))
    events_save(group=group, steps=steps)
    alerts_lock(org_id=group.org_id, names=[row.name for row in rows])
    Alert.objects.for_org(group.org_id).filter(rule__in=list(reasons)).delete()
    samples = [sample for _, step in steps for sample in step.samples]
    if samples:
        tenant = group.org.uid
        transaction.on_commit(lambda: _write(tenant, samples), robust=True)


def _recordings_end(group: RuleGroup, rules: Iterable[Rule], *, now: datetime) -> None:
    """Mark stale, once this is committed, what recording rules wrote that are no more."""
    if group.last_eval_at is None:
        return
    offset_ms = group.query_offset_ms
    ended = RecordingsEnd(
        tenant=group.org.uid,
        ended=frozenset(_family(group, rule) for rule in rules if rule.kind == RuleKind.RECORDING),
        going_on=frozenset(
            _family(group, rule)
            for rule in Rule.objects.for_org(group.org_id).filter(
                group=group, kind=RuleKind.RECORDING, is_enabled=True
            )
            if rule.pk not in {one.pk for one in rules}
        ),
        written_ms=to_ms(group.last_eval_at) - offset_ms,
        at_ms=to_ms(now) - offset_ms,
    )
    if ended.ended:
        transaction.on_commit(lambda: recordings_end(series_store(), ended), robust=True)


def _family(group: RuleGroup, rule: Rule) -> Family:
    labels = {**group.shared_labels, **rule.labels}
    return rule.name, frozenset(labels.items())


def _write(tenant: str, samples: Sequence[Sample]) -> None:
    series_store().append(tenant, samples)
