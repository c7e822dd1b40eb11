"""Writes what evaluations lead to: states, history, and word to whoever routes alerts."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping

from apps.alerting.enums import RuleHealth
from apps.alerting.models import Alert, Rule, RuleGroup
from apps.alerting.selectors import closed_starts
from apps.alerting.services.alert_rows import (
    alert_name,
    alerts_lock,
    alerts_save,
    event_of,
    is_same,
    row_of,
)
from apps.alerting.services.handling import handlings_end
from apps.alerting.services.plans import RuleRun
from apps.alerting.services.state_values import Notification, Step
from detectviz.clock import from_ms
from detectviz.contracts.types import AlertStatus
from detectviz.events.bus import publish
from detectviz.events.types import AlertChanged
from detectviz.runtime import signals
from detectviz.tenancy.writing import rows_write

LONGEST_ERROR = 2000
_MOST_NAMES = 500


def steps_save(*, group: RuleGroup, rules: Mapping[str, Rule], runs: Iterable[RuleRun]) -> None:
    """Write the steps of a group's rules and publish their messages; call it in a transaction.

    ``rules`` are rows by the plans' keys. Rules that stay as they are cost nothing.
    """
    changed: list[Alert] = []
    gone: list[str] = []
    eventful: list[tuple[Rule, Step]] = []
    for run in runs:
        before, step = run.rule.instances, run.step
        if before or step.instances:
            rule = rules[run.rule.key]
            known = {instance.fingerprint: instance for instance in before}
            changed += [
                row_of(rule, instance, folder_id=group.folder_id)
                for instance in step.instances
                if instance.fingerprint not in known
                or not is_same(known[instance.fingerprint], instance)
            ]
            left = known.keys() - {instance.fingerprint for instance in step.instances}
            gone += [alert_name(rule, one) for one in left]
        if step.transitions or step.notifications:
            eventful.append((rules[run.rule.key], step))
    # The rows of alerts come last: see "One order of locks" in docs/adr/0035.
    events_save(group=group, steps=eventful)
    if gone:
        alerts_lock(org_id=group.org_id, names=[*gone, *(row.name for row in changed)])
    if changed:
        alerts_save(changed)
    for start in range(0, len(gone), _MOST_NAMES):
        names = gone[start : start + _MOST_NAMES]
        Alert.objects.for_org(group.org_id).filter(name__in=names).delete()


def health_save(*, org_id: int, rules: Mapping[str, Rule], runs: Iterable[RuleRun]) -> None:
    """Write how the evaluation of rules went, where that changed; rules without a run are well."""
    errors = {run.rule.key: run.error[:LONGEST_ERROR] for run in runs if run.error}
    changed: dict[str, list[int]] = defaultdict(list)
    for key, rule in rules.items():
        if rule.health != RuleHealth.OK or key in errors:
            error = errors.get(key, "")
            health = RuleHealth.ERROR if error else RuleHealth.OK
            if (rule.health, rule.last_error) != (health, error):
                changed[error].append(rule.pk)
                rule.health, rule.last_error = health, error
    for error, keys in changed.items():
        health = RuleHealth.ERROR if error else RuleHealth.OK
        for start in range(0, len(keys), _MOST_NAMES):
            rows = Rule.objects.for_org(org_id).filter(pk__in=keys[start : start + _MOST_NAMES])
            rows.update(health=health, last_error=error)


def events_save(*, group: RuleGroup, steps: Iterable[tuple[Rule, Step]]) -> None:
    """Write the history of some rules' steps and publish their messages, leaving alerts alone."""
    steps = list(steps)
    events = [event_of(group, rule, change) for rule, step in steps for change in step.transitions]
    if events:
        rows_write(events)
        payload = {"org": group.org_id, "event": "alerts", "data": {"group": group.name}}
        signals.send_on_commit("web", payload)
    if any(step.notifications for _, step in steps):
        _messages_publish(group, steps)


def _messages_publish(group: RuleGroup, steps: Iterable[tuple[Rule, Step]]) -> None:
    """Publish what rules say of their alerts, but for firings that somebody closed by hand."""
    closed = closed_starts(group.org_id)
    over: list[str] = []
    told: list[AlertChanged] = []
    for rule, step in steps:
        for message in step.notifications:
            if message.is_transition and message.status is AlertStatus.RESOLVED:
                over.append(message.fingerprint)
            closed_start = closed.get(message.fingerprint)
            if closed_start is None or closed_start < from_ms(message.starts_at_ms):
                told.append(_changed(group, rule, message))
    if over:
        handlings_end(org_id=group.org_id, fingerprints=over)
    publish(*told)


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
