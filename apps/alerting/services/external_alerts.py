"""Alerts that other programs sent, shown beside those of rules."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from apps.alerting.enums import AlertState, TransitionReason
from apps.alerting.models import Alert, AlertEvent
from detectviz.runtime import signals
from detectviz.tenancy.writing import rows_write

KEPT = timedelta(minutes=15)  # as long as a rule's resolved alert stays listed
_BATCH = 500
_WRITTEN = (
    "labels",
    "annotations",
    "state",
    "active_at",
    "fired_at",
    "resolved_at",
    "last_sent_at",
    "sender",
    "generator_url",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalAlert:
    """What a program said last of one alert; ``resolved_at`` is None while it fires."""

    fingerprint: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at: datetime
    resolved_at: datetime | None
    sender: str
    generator_url: str


def external_name(fingerprint: str) -> str:
    """Return the name of an external alert's row, unique in its org."""
    return f"external-{fingerprint}"


def external_alerts_record(
    *, org_id: int, alerts: Sequence[ExternalAlert], now: datetime
) -> Sequence[str]:
    """Write what programs said, with its history; return the fingerprints that changed state.

    A resolve of an alert that is not known to fire is dropped. Call it in a transaction.
    """
    known = {
        row.fingerprint: row
        for names in _batches([external_name(alert.fingerprint) for alert in alerts])
        for row in Alert.objects.for_org(org_id).filter(name__in=names)
    }
    rows: list[Alert] = []
    events: list[AlertEvent] = []
    for alert in alerts:
        before = known.get(alert.fingerprint)
        state = AlertState.FIRING if alert.resolved_at is None else AlertState.RESOLVED
        was = AlertState.INACTIVE if before is None else AlertState(before.state)
        if state == AlertState.RESOLVED and was != AlertState.FIRING:
            continue
        row = _row(org_id, alert, before, state=state, was=was, now=now)
        rows.append(row)
        if state != was:
            events.append(_event(row, was, at=alert.resolved_at or now))
    rows_write(rows, unique=("org", "name"), update=_WRITTEN)
    _tell(org_id, events)
    return [event.fingerprint for event in events]


def external_alerts_end(*, org_id: int, fingerprints: Iterable[str], at: datetime) -> None:
    """Resolve alerts whose sender has gone silent. Call it in a transaction."""
    events: list[AlertEvent] = []
    rows = Alert.objects.for_org(org_id).filter(rule=None, state=AlertState.FIRING)
    for names in _batches([external_name(one) for one in fingerprints]):
        ended = list(rows.filter(name__in=names))
        rows.filter(name__in=names).update(state=AlertState.RESOLVED, resolved_at=at)
        events += [
            _event(row, AlertState.FIRING, at=at, state=AlertState.RESOLVED, reason=_SILENT)
            for row in ended
        ]
    _tell(org_id, events)


def external_alerts_sweep(*, org_id: int, active: Collection[str], now: datetime) -> None:
    """Resolve external alerts that are not ``active`` any more and forget old resolved ones."""
    rows = Alert.objects.for_org(org_id).filter(rule=None)
    firing = set(rows.filter(state=AlertState.FIRING).values_list("fingerprint", flat=True))
    external_alerts_end(org_id=org_id, fingerprints=sorted(firing - set(active)), at=now)
    rows.filter(state=AlertState.RESOLVED, resolved_at__lt=now - KEPT).delete()


_SILENT = TransitionReason.SENDER_SILENT


def _row(
    org_id: int,
    alert: ExternalAlert,
    before: Alert | None,
    *,
    state: AlertState,
    was: AlertState,
    now: datetime,
) -> Alert:
    goes_on = before is not None and was == AlertState.FIRING
    return Alert(
        org_id=org_id,
        name=external_name(alert.fingerprint),
        fingerprint=alert.fingerprint,
        labels=dict(alert.labels),
        annotations=dict(alert.annotations),
        state=state,
        value="",
        active_at=alert.starts_at,
        fired_at=before.fired_at if before is not None and goes_on else now,
        resolved_at=alert.resolved_at,
        last_sent_at=now,
        sender=alert.sender,
        generator_url=alert.generator_url,
    )


def _event(
    row: Alert,
    previous: AlertState,
    *,
    at: datetime,
    state: AlertState | None = None,
    reason: TransitionReason | None = None,
) -> AlertEvent:
    return AlertEvent(
        org_id=row.org_id,
        group_name="",
        rule_name=row.rule_name[:255],
        fingerprint=row.fingerprint,
        labels=row.labels,
        annotations=row.annotations,
        previous=previous,
        state=state or row.state,
        reason=reason or "",
        value="",
        at=at,
    )


def _tell(org_id: int, events: Sequence[AlertEvent]) -> None:
    if events:
        rows_write(events)
        payload = {"org": org_id, "event": "alerts", "data": {"group": ""}}
        signals.send_on_commit("web", payload)


def _batches(names: Sequence[str]) -> Iterable[Sequence[str]]:
    return [names[start : start + _BATCH] for start in range(0, len(names), _BATCH)]
