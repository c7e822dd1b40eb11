"""The registration of ``alerting/v1`` RuleGroup and Alert."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.db import models

from apps.alerting.api.generated.resources import AnomalyRuleKind, SloKind
from apps.alerting.api.serializers import EmptySpecSerializer, RuleGroupSpecSerializer
from apps.alerting.api.views import ALERT_SUBRESOURCES, RULEGROUP_SUBRESOURCES
from apps.alerting.enums import RuleEvaluator
from apps.alerting.models import Alert, RuleGroup
from apps.alerting.selectors import alert_handled_queryset, rulegroup_queryset
from apps.alerting.services.conditions import queries_require
from apps.alerting.services.generated_groups import generated_refuse
from apps.alerting.services.handled_alerts import standing_map
from apps.alerting.services.rule_files import rule_file_export, rule_file_read
from apps.alerting.services.rule_specs import rules_queries
from apps.alerting.services.rulegroups import RuleGroupDraft, rulegroup_delete, rulegroup_write
from detectviz.clock import utc_now
from detectviz.contracts.durations import format_duration, parse_duration_ms
from detectviz.permissions.requests import actor_access
from detectviz.resources.errors import ForbiddenError
from detectviz.resources.formats import Format, register_format
from detectviz.resources.registry import ResourceKind, Write, registry


class RuleGroupKind(ResourceKind[RuleGroup]):
    """Alerting and recording rules, evaluated in order on one timestamp."""

    group = "alerting"
    kind = "RuleGroup"
    plural = "rulegroups"
    model = RuleGroup
    permission = "rulegroups"
    spec_serializer = RuleGroupSpecSerializer
    field_selectors: ClassVar[dict[str, str]] = {
        "spec.enabled": "is_enabled",
        "status.builtin": "is_builtin",
    }
    subresources = RULEGROUP_SUBRESOURCES
    apply_order = 35

    def queryset(self, org: models.Model) -> "models.QuerySet[RuleGroup]":
        """Return groups with their rules."""
        return rulegroup_queryset(org.pk)

    def to_spec(self, instance: RuleGroup) -> dict[str, Any]:
        """Return the spec, the rules as written."""
        return {
            "title": instance.title,
            "interval": format_duration(instance.interval_ms / 1000),
            "limit": instance.limit,
            "query_offset": format_duration(instance.query_offset_ms / 1000),
            **_evaluation(instance),
            "labels": instance.shared_labels,
            "enabled": instance.is_enabled,
            "rules": instance.spec_rules,
        }

    def to_status(self, instance: RuleGroup) -> dict[str, Any]:
        """Return when the group was evaluated, and the health of each rule."""
        return {
            "builtin": instance.is_builtin,
            "owner": instance.owner or None,
            "last_evaluation_at": instance.last_eval_at,
            "last_duration_s": instance.last_duration_s,
            "next_evaluation_at": instance.next_due_at if instance.is_enabled else None,
            "missed_iterations": instance.missed_iterations,
            "rules": [
                {
                    "name": rule.name,
                    "type": rule.kind,
                    "health": rule.health,
                    "last_error": rule.last_error,
                    "last_evaluation_at": rule.last_eval_at,
                }
                for rule in instance.rules.all()
            ],
        }

    def write(self, change: Write[RuleGroup]) -> RuleGroup:
        """Create or update the row and its rules."""
        spec = change.spec
        if _is_as_generated(change.instance, self, spec):
            assert change.instance is not None
            return change.instance  # an export applied again
        generated_refuse(change.instance)
        known = rules_queries(change.instance.spec_rules if change.instance else ())
        queries_require(
            org=change.org,
            access=actor_access(change.actor, change.org),
            queries=[query for query in rules_queries(spec["rules"]) if query not in known],
        )
        draft = RuleGroupDraft(
            name=change.name,
            title=spec["title"],
            labels=change.labels,
            folder=change.folder,
            interval_ms=parse_duration_ms(spec["interval"]),
            limit=spec["limit"],
            query_offset_ms=parse_duration_ms(spec["query_offset"]),
            evaluation=spec["evaluation"],
            shared_labels=spec["labels"],
            rules=spec["rules"],
            is_enabled=spec["enabled"],
        )
        return rulegroup_write(org=change.org, draft=draft, instance=change.instance, now=utc_now())

    def remove(self, instance: RuleGroup, *, actor: models.Model | None) -> None:
        """Delete the row; its alerts end."""
        generated_refuse(instance)
        rulegroup_delete(group=instance, now=utc_now())


def _is_as_generated(
    instance: RuleGroup | None, kind: RuleGroupKind, spec: Mapping[str, Any]
) -> bool:
    """Say whether a generated group is written as it is."""
    if instance is None or not instance.owner:
        return False
    return kind.to_spec(instance) == {k: v for k, v in spec.items() if k != "evaluation"}


def _evaluation(instance: RuleGroup) -> dict[str, str]:
    """Return who evaluates, where that is not our engine."""
    is_usual = instance.evaluation == RuleEvaluator.ENGINE
    return {} if is_usual else {"evaluation": instance.evaluation}


class AlertKind(ResourceKind[Any]):
    """One label set of a rule that is pending, firing, recovering or resolved not long ago."""

    group = "alerting"
    kind = "Alert"
    plural = "alerts"
    model = Alert  # type: ignore[assignment]  # reads like a resource, is written by evaluation only
    permission = "alerts"
    spec_serializer = EmptySpecSerializer
    verbs = frozenset({"list", "get"})
    search_fields = ("rule__name", "labels")
    field_selectors: ClassVar[dict[str, str]] = {
        "state": "state",
        "status.state": "state",
        "rule": "rule__name",
        "rule_group": "rule__group__name",
        "fingerprint": "fingerprint",
        "status.flapping": "is_flapping",
        "status.handling.acknowledged": "is_acknowledged",
        "status.handling.snoozed": "is_snoozed",
        "status.handling.closed": "is_closed",
        "status.handling.assignee": "assigned_to",
    }
    subresources = ALERT_SUBRESOURCES

    def queryset(self, org: models.Model) -> "models.QuerySet[Any]":
        """Return alerts with their rules and groups."""
        return alert_handled_queryset(org.pk, utc_now())

    def load(self, rows: Sequence[Any]) -> None:
        """Fetch how a page of alerts stands with people."""
        found = standing_map(rows[0].org_id, rows) if rows else {}
        for row in rows:
            row.standing = found[row.fingerprint]

    def to_spec(self, instance: Any) -> dict[str, Any]:
        """Return nothing: nobody writes alerts."""
        return {}

    def to_status(self, instance: Any) -> dict[str, Any]:
        """Return which rule raised the alert, its timers, and how it stands with people."""
        if not hasattr(instance, "standing"):
            self.load([instance])
        return {
            "state": instance.state,
            "condition": instance.condition or None,
            "origin": "external" if instance.is_external else "rule",
            "rule": None if instance.is_external else instance.rule_name,
            "rule_group": instance.group_name or None,
            "sender": instance.sender or None,
            "generator_url": instance.generator_url or None,
            "reason": instance.reason or None,
            "flapping": instance.is_flapping,
            "keep_firing_since": instance.keep_firing_since,
            "resolved_at": instance.resolved_at,
            "last_sent_at": instance.last_sent_at,
            "handling": instance.standing.as_json(utc_now()),
        }

    def to_top(self, instance: Any) -> dict[str, Any]:
        """Return what programs that read alerts look for."""
        return {
            "fingerprint": instance.fingerprint,
            "labels": instance.labels,
            "annotations": instance.annotations,
            "state": instance.state,
            "active_at": instance.active_at,
            "fired_at": instance.fired_at,
            "value": instance.value,
            "suppressed_by": instance.suppressed_by,
        }

    def write(self, change: Write[Any]) -> Any:
        """Refuse: alerts come from rules."""
        raise ForbiddenError("Alerts are raised by rules; change the rule group.")


registry.register(RuleGroupKind())
registry.register(AlertKind())
registry.register(SloKind())
registry.register(AnomalyRuleKind())
register_format(
    Format(
        name="prometheus",
        title="Prometheus rule file",
        filename="rules.yml",
        read=lambda document, _: rule_file_read(document),
        write=lambda org: rule_file_export(org=org),
        permissions=("rulegroups:read",),
    )
)
