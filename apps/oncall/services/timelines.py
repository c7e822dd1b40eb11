"""The whole story of an incident: its own lines, its alerts', what people did, who was told."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from apps.alerting.selectors import alert_history, handling_history
from apps.notifications.enums import SuppressionKind
from apps.notifications.selectors import delivery_list
from apps.notifications.services.answers import cause_phrase, suppression_entries
from apps.oncall.models import Incident, IncidentAlert, IncidentEntry

BEFORE = timedelta(minutes=30)
MOST_PER_ALERT = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One line of the story."""

    at: datetime
    kind: str
    by: str
    text: str

    def as_json(self) -> dict[str, Any]:
        """Return it for an answer."""
        return {"at": self.at.isoformat(), "kind": self.kind, "by": self.by, "text": self.text}


def incident_timeline(*, incident: Incident) -> list[Moment]:
    """Return the story, the oldest first, from shortly before it was opened to its end."""
    entries = IncidentEntry.objects.for_org(incident.org_id).filter(incident=incident)
    own = [
        Moment(at=one.at, kind=one.kind, by=one.actor_name, text=one.text)
        for one in entries.order_by("at", "id")
    ]
    alerts = IncidentAlert.objects.for_org(incident.org_id).filter(incident=incident)
    begin = incident.opened_at - BEFORE
    told = [
        moment
        for alert in alerts
        for moment in _of_alert(incident, alert)
        if begin <= moment.at and (not incident.resolved_at or moment.at <= incident.resolved_at)
    ]
    return sorted([*own, *told], key=lambda moment: moment.at)


def post_mortem(*, incident: Incident) -> str:
    """Return an incident as Markdown, with the places a post-mortem has to fill."""
    ended = f"{incident.resolved_at:%Y-%m-%d %H:%M} UTC" if incident.resolved_at else "open"
    lines = [
        f"# {_plain(incident.title or incident.name)}",
        "",
        f"- Severity: {incident.get_severity_display()}",
        f"- Status: {incident.get_status_display()}",
        f"- Opened: {incident.opened_at:%Y-%m-%d %H:%M} UTC",
        f"- Resolved: {ended}",
        *(f"- {_plain(role).capitalize()}: {_plain(who)}" for role, who in incident.roles.items()),
        "",
        "## Summary",
        "",
        incident.summary or "_To be written._",
        "",
        "## Alerts",
        "",
    ]
    alerts = IncidentAlert.objects.for_org(incident.org_id).filter(incident=incident)
    for alert in alerts:
        labels = ", ".join(f"{name}={value}" for name, value in sorted(alert.labels.items()))
        lines.append(f"- {_plain(labels)}")
    lines += ["", "## Timeline (UTC)", "", "| time | what | who | |", "|---|---|---|---|"]
    lines += [
        f"| {moment.at:%Y-%m-%d %H:%M:%S} | {moment.kind} | {_cell(moment.by)} "
        f"| {_cell(moment.text)} |"
        for moment in incident_timeline(incident=incident)
    ]
    for title in ("Impact", "Root cause", "What went well", "What did not", "Actions"):
        lines += ["", f"## {title}", "", "_To be written._"]
    return "\n".join(lines) + "\n"


def _of_alert(incident: Incident, alert: IncidentAlert) -> Iterator[Moment]:
    org, name = incident.org, alert.labels.get("alertname", alert.fingerprint)
    for event in alert_history(org, alert.fingerprint, limit=MOST_PER_ALERT):
        text = f"{name}: {event.previous} → {event.state}"
        yield Moment(at=event.at, kind="alert", by=event.group_name, text=text)
    for done in handling_history(org, alert.fingerprint, limit=MOST_PER_ALERT):
        text = f"{name}: {done.words}" + (f": {done.comment}" if done.comment else "")
        yield Moment(at=done.at, kind="handling", by=done.actor_name, text=text)
    yield from _silences(incident, alert, name)
    for row in delivery_list(org=org, fingerprint=alert.fingerprint, limit=MOST_PER_ALERT):
        text = f"{name}: {row.status} to {row.contact_point}"
        text += f" / {row.receiver}" if row.receiver != row.notifier else ""
        yield Moment(at=row.created_at, kind="delivery", by=row.notifier, text=text)


def _silences(incident: Incident, alert: IncidentAlert, name: str) -> Iterator[Moment]:
    """Yield when each silence began to hold the alert back, once for all who were not told."""
    rows = suppression_entries(org=incident.org).filter(fingerprint=alert.fingerprint)
    began: dict[str, Moment] = {}
    for row in rows[:MOST_PER_ALERT]:
        for cause in row.causes:
            if cause["kind"] == SuppressionKind.SILENCE:
                text = f"{name}: {cause_phrase(cause)}"
                silence = str(cause.get("name", ""))
                began[silence] = Moment(at=row.since, kind="silence", by="", text=text)
    yield from began.values()


def _plain(text: str) -> str:
    return text.replace("\r", " ").replace("\n", " ")


def _cell(text: str) -> str:
    return _plain(text).replace("\\", "\\\\").replace("|", "\\|")
