"""The rule group every org starts with; it can be edited, switched off and brought back."""

from datetime import datetime
from typing import Any

from django.db import models

from apps.alerting.models import RuleGroup
from apps.alerting.services.rulegroups import RuleGroupDraft, rulegroup_write
from detectviz.resources.registry import registry
from detectviz.resources.services import resource_write

BUILTIN_NAME = "builtin"
BUILTIN_INTERVAL_MS = 15_000
BUILTIN_TITLE = "Built-in: monitors, certificates, heartbeats"

# Degraded (2) and unknown (3) page nobody. There is no `for`: a monitor has retried already
# before it counts as down.
BUILTIN_RULES: tuple[dict[str, Any], ...] = (
    {
        "alert": "MonitorDown",
        "expr": 'probe_state{type!="push"} == 0',
        "labels": {"severity": "critical"},
        "annotations": {
            "summary": "{{ $labels.monitor }} is down",
            "description": (
                "The {{ $labels.type }} monitor {{ $labels.monitor }}"
                "{{ with $labels.instance }} ({{ . }}){{ end }} failed its check and its retries."
            ),
        },
    },
    {
        "alert": "HeartbeatMissed",
        "expr": 'probe_state{type="push"} == 0',
        "labels": {"severity": "critical"},
        "annotations": {
            "summary": "No heartbeat from {{ $labels.monitor }}",
            "description": "{{ $labels.monitor }} did not report in time, or reported a failure.",
        },
    },
    {
        "alert": "CertificateExpiring",
        "expr": "probe_ssl_earliest_cert_expiry - time() < 14 * 86400",
        "for": "5m",
        "labels": {"severity": "warning"},
        "annotations": {
            "summary": "The certificate of {{ $labels.monitor }} expires soon",
            "description": (
                "{{ with $labels.instance }}{{ . }}: {{ end }}"
                "{{ if gt $value 0.0 }}{{ $value | humanizeDuration }} left."
                "{{ else }}it has expired.{{ end }}"
            ),
        },
    },
)


def builtin_create(*, org: models.Model, now: datetime) -> RuleGroup:
    """Give an org the built-in group, if it has none of that name."""
    existing: RuleGroup | None = RuleGroup.objects.for_org(org).filter(name=BUILTIN_NAME).first()
    if existing is not None:
        return existing
    draft = RuleGroupDraft(
        name=BUILTIN_NAME,
        title=BUILTIN_TITLE,
        interval_ms=BUILTIN_INTERVAL_MS,
        rules=BUILTIN_RULES,
        is_builtin=True,
    )
    return rulegroup_write(org=org, draft=draft, instance=None, now=now)


def builtin_restore(*, org: models.Model, actor: models.Model | None) -> RuleGroup:
    """Set the built-in group back to how it came, creating it if it was deleted."""
    kind = registry.by_kind("alerting/v1", "RuleGroup")
    assert kind is not None
    spec = {
        "title": BUILTIN_TITLE,
        "interval": f"{BUILTIN_INTERVAL_MS // 1000}s",
        "rules": [dict(rule) for rule in BUILTIN_RULES],
    }
    written = resource_write(kind, org=org, actor=actor, name=BUILTIN_NAME, spec=spec)
    group: RuleGroup = written.instance
    return group
