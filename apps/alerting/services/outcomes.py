"""Writes what evaluations lead to: states, history, and word to whoever routes alerts."""

import math
from collections.abc import Sequence

from apps.alerting.models import Alert, AlertEvent, Rule, RuleGroup
from apps.alerting.services.alert_rows import alerts_save, event_of, is_same, row_of
from apps.alerting.services.state_values import Instance, Notification, Step
from detectviz.clock import from_ms
from detectviz.events.bus import publish
from detectviz.events.types import AlertChanged
from detectviz.runtime import signals


def step_save(*, group: RuleGroup, rule: Rule, before: Sequence[Instance], step: Step) -> None:
    """Write one rule's step and publish its messages; to be called in a transaction."""
    known = {instance.fingerprint: instance for instance in before}
    changed = [
        instance
        for instance in step.instances
        if instance.fingerprint not in known or not is_same(known[instance.fingerprint], instance)
    ]
    if changed:
        alerts_save(row_of(rule, instance, folder_id=group.folder_id) for instance in changed)
    gone = known.keys() - {instance.fingerprint for instance in step.instances}
    if gone:
        Alert.objects.for_org(rule.org_id).filter(rule=rule, fingerprint__in=gone).delete()
    events_save(group=group, rule=rule, step=step)


def events_save(*, group: RuleGroup, rule: Rule, step: Step) -> None:
    """Write a step's history and publish its messages, without touching the alerts."""
    if step.transitions:
        AlertEvent.objects.across_orgs(reason="rows carry the org of their rule").bulk_create(
            [event_of(group, rule, change) for change in step.transitions], batch_size=500
        )
        payload = {"org": rule.org_id, "event": "alerts", "data": {"group": group.name}}
        signals.send_on_commit("web", payload)
    for message in step.notifications:
        publish(_changed(group, rule, message))


def _changed(group: RuleGroup, rule: Rule, message: Notification) -> AlertChanged:
    return AlertChanged(
        org_id=rule.org_id,
        fingerprint=message.fingerprint,
        status=message.status.value,
        labels=message.labels,
        annotations=message.annotations,
        starts_at=from_ms(message.starts_at_ms),
        ends_at=from_ms(message.ends_at_ms),
        rule_group=group.name,
        rule=rule.name,
        value=message.value if math.isfinite(message.value) else None,
        is_transition=message.is_transition,
    )
