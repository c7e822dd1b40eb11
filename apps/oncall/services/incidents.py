"""Writes incidents: what is known, who does what, which alerts belong to it, notes."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import models

from apps.alerting.models import Alert
from apps.alerting.selectors import alert_list
from apps.notifications.services.matchers import all_match, parse_matcher
from apps.oncall.enums import EntryKind, IncidentStatus
from apps.oncall.models import Incident, IncidentAlert, IncidentEntry
from apps.oncall.services.participants import participants_require
from detectviz.events.bus import publish
from detectviz.events.types import SecurityEventOccurred

FIRING = ("firing", "recovering")
BY_ITSELF = "Detectviz"
_ACROSS = "one ticker serves every org"


def incident_write(
    *,
    org: models.Model,
    name: str,
    spec: Mapping[str, Any],
    instance: Incident | None,
    actor: Any,
    now: datetime,
) -> Incident:
    """Open or change an incident; what changed becomes part of its story."""
    known = instance.roles if instance else {}
    named = [(role, who) for role, who in spec["roles"].items() if known.get(role) != who]
    participants_require(org=org, named=[(f"spec.roles.{role}", who) for role, who in named])
    incident = instance or Incident(org_id=org.pk, name=name, opened_at=now)
    changes = list(_changes(incident, spec)) if instance else [(EntryKind.OPENED, spec["title"])]
    incident.title = spec["title"]
    incident.summary = spec["summary"]
    incident.severity = spec["severity"]
    incident.status = spec["status"]
    incident.roles = dict(spec["roles"])
    incident.matchers = list(spec["matchers"])
    is_over = incident.status == IncidentStatus.RESOLVED
    incident.resolved_at = (incident.resolved_at or now) if is_over else None
    incident.save()
    for kind, text in changes:
        entry_write(incident=incident, kind=kind, text=text, by=str(actor or BY_ITSELF), at=now)
    incident_gather(incident=incident, now=now)
    return incident


def note_write(*, incident: Incident, text: str, actor: Any, now: datetime) -> None:
    """Add a note, known to audit."""
    entry_write(incident=incident, kind=EntryKind.NOTE, text=text, by=str(actor), at=now)
    _audit(incident, "incident.note", actor, {"text": text})


def alerts_gather(*, incident: Incident, alerts: Iterable[Alert], actor: Any, now: datetime) -> int:
    """Have somebody add alerts to an incident, known to audit; return how many are new to it."""
    chosen = list(alerts)
    added = alerts_add(incident=incident, alerts=chosen, by=str(actor), now=now)
    if added:
        details = {"alerts": [one.name for one in chosen], "added": added}
        _audit(incident, "incident.gather", actor, details)
    return added


def alerts_add(*, incident: Incident, alerts: Iterable[Alert], by: str, now: datetime) -> int:
    """Have alerts belong to an incident; return how many are new to it."""
    rows = IncidentAlert.objects.for_org(incident.org_id).filter(incident=incident)
    known = set(rows.values_list("fingerprint", flat=True))
    new = {one.fingerprint: one for one in alerts if one.fingerprint not in known}
    rows.bulk_create(
        [
            IncidentAlert(
                org_id=incident.org_id,
                incident=incident,
                fingerprint=one.fingerprint,
                labels=one.labels,
                joined_at=now,
            )
            for one in new.values()
        ],
        ignore_conflicts=True,
    )
    for one in new.values():
        text = f"{one.labels.get('alertname', one.fingerprint)} joined"
        entry_write(incident=incident, kind=EntryKind.ALERT, text=text, by=by, at=now)
    return len(new)


def incidents_gather(*, now: datetime) -> int:
    """Have what fires join the open incidents whose matchers match it; return how many did."""
    rows = Incident.objects.across_orgs(reason=_ACROSS)
    opened = rows.filter(resolved_at__isnull=True).exclude(matchers=[])
    return sum(incident_gather(incident=one, now=now) for one in opened)


def incident_gather(*, incident: Incident, now: datetime) -> int:
    """Have what fires join one incident, if it is open and has matchers."""
    if incident.resolved_at is not None or not incident.matchers:
        return 0
    matchers = [parse_matcher(text) for text in incident.matchers]
    firing = alert_list(incident.org_id, states=FIRING)
    found = [alert for alert in firing if all_match(matchers, alert.labels)]
    return alerts_add(incident=incident, alerts=found, by=BY_ITSELF, now=now)


def entry_write(
    *, incident: Incident, kind: EntryKind, text: str, by: str, at: datetime
) -> IncidentEntry:
    """Write a line of the story."""
    entry: IncidentEntry = IncidentEntry.objects.for_org(incident.org_id).create(
        org_id=incident.org_id, incident=incident, kind=kind, text=text, actor_name=by, at=at
    )
    return entry


def _changes(incident: Incident, spec: Mapping[str, Any]) -> Sequence[tuple[EntryKind, str]]:
    changes: list[tuple[EntryKind, str]] = []
    if incident.status != spec["status"]:
        changes.append((EntryKind.STATUS, f"{incident.status} → {spec['status']}"))
    if incident.severity != spec["severity"]:
        changes.append((EntryKind.SEVERITY, f"{incident.severity} → {spec['severity']}"))
    for role in sorted({*incident.roles, *spec["roles"]}):
        before, after = incident.roles.get(role, ""), spec["roles"].get(role, "")
        if before != after:
            changes.append((EntryKind.ROLE, f"{role}: {after or 'nobody'}"))
    return changes


def _audit(incident: Incident, action: str, actor: Any, details: Mapping[str, Any]) -> None:
    publish(
        SecurityEventOccurred(
            action=action,
            org_id=incident.org_id,
            actor_id=actor.pk,
            kind="Incident",
            name=incident.name,
            uid=incident.uid,
            details=details,
        )
    )
