"""One check now, in the caller: "run now", "run once before saving", the command line.

It uses the same collectors, network and judgement as the engine and touches neither schedule nor
state nor series: what it finds is an answer, not a result of the monitor.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import models

from apps.monitors.models import Monitor
from apps.monitors.services.configuration import (
    collector_configuration,
    collector_manifest,
    is_passive,
)
from apps.monitors.services.evidence import evidence_clean, text_clean
from apps.monitors.services.monitors import MonitorDraft, draft_of
from apps.monitors.services.network import (
    HostedCollectors,
    commands_host,
    discovery_choice,
    discovery_host,
    engine_network,
)
from apps.monitors.services.plans import heartbeats_read, planned_of
from apps.monitors.services.samples import own_labels
from apps.monitors.services.states import Policy, result_judge
from detectviz.clock import to_ms, utc_now
from detectviz.collection.checks import ScheduledCheck
from detectviz.collection.once import run_once
from detectviz.contracts.collector import CheckResult, Heartbeat, Metric
from detectviz.contracts.types import CheckState
from detectviz.resources.registry import registry
from detectviz.resources.validation import validate_spec

_LONGEST_WAIT_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What one check found, judged by the monitor's policy (inversion, latency, no retries)."""

    state: CheckState
    message: str
    duration_s: float | None
    metrics: tuple[Metric, ...]
    evidence: Mapping[str, Any]
    started_at: datetime

    def as_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "state": self.state.value,
            "message": self.message,
            "duration_s": self.duration_s,
            "metrics": [
                {"name": each.name, "labels": dict(each.labels), "value": each.value}
                for each in self.metrics
            ],
            "evidence": dict(self.evidence),
            "started_at": self.started_at,
            "is_manual": True,
        }


def monitor_run(*, monitor: Monitor, now: datetime | None = None) -> Probe:
    """Check ``monitor`` once, paused or not; blocks at most its timeout (and at most a minute)."""
    now = now or utc_now()
    planned = planned_of(monitor)
    heard = heartbeats_read([monitor.pk]) if planned.plan.is_passive else {}
    check = ScheduledCheck(
        key=monitor.pk,
        epoch=0,
        slot_ms=to_ms(now),
        collector=monitor.type,
        name=monitor.name,
        config=planned.config,
        secrets=planned.secrets,
        timeout_s=min(monitor.timeout_s, _LONGEST_WAIT_S),
        host=planned.host,
        is_tls=planned.is_tls,
        heartbeat=heard.get(monitor.pk),
        org=planned.org,
        labels=planned.labels,
        discovery=planned.discovery,
    )
    return _run(check, planned.plan.policy, now)


def monitor_try_spec(*, org: models.Model, spec: object, instance: Monitor | None = None) -> Probe:
    """Run a spec as written once; raise InvalidFieldsError for what saving would refuse."""
    kind = registry.by_kind("monitoring/v1", "Monitor")
    assert kind is not None
    valid = validate_spec(kind, org=org, instance=instance, spec=spec)
    name = instance.name if instance else "test"
    draft = draft_of(valid, name=name, labels={}, folder=None)
    return monitor_test(org=org, draft=draft, instance=instance)


def monitor_test(
    *,
    org: models.Model,
    draft: MonitorDraft,
    instance: Monitor | None = None,
    now: datetime | None = None,
) -> Probe:
    """Run a draft once before it is saved; secrets it keeps come from ``instance``.

    Raise InvalidFieldsError for what saving would refuse.
    """
    now = now or utc_now()
    checked = collector_configuration(
        type_name=draft.type,
        config=draft.config,
        secrets=draft.secrets,
        instance=instance,
        org=org,
    )
    manifest = collector_manifest(draft.type)
    check = ScheduledCheck(
        key=0,
        epoch=0,
        slot_ms=to_ms(now),
        collector=draft.type,
        name=draft.name,
        config=checked.config,
        secrets=checked.secrets,
        timeout_s=min(draft.timeout_s, _LONGEST_WAIT_S),
        heartbeat=Heartbeat(since=now) if is_passive(manifest) else None,
        labels=own_labels(draft.labels),
        org=str(getattr(org, "name", "")),
        discovery=discovery_choice(manifest.config_schema, checked.config, checked.secrets),
    )
    policy = Policy(
        is_inverted=draft.is_inverted,
        degraded_above_s=draft.degraded_above_s,
        down_above_s=draft.down_above_s,
    )
    return _run(check, policy, now)


def _run(check: ScheduledCheck, policy: Policy, now: datetime) -> Probe:
    result = run_once(
        check,
        registry=HostedCollectors(),
        network=engine_network(),
        discovery=discovery_host(),
        commands=commands_host().runner,
    )
    return probe_of(result, policy, now)


def probe_of(result: CheckResult, policy: Policy, now: datetime) -> Probe:
    """Return a result as an answer."""
    state, message = result_judge(result, policy)
    return Probe(
        state=state,
        message=text_clean(message),
        duration_s=result.duration_s,
        metrics=result.metrics,
        evidence=evidence_clean(result.evidence),
        started_at=now,
    )
