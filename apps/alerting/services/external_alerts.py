"""Alerts that other programs sent, shown beside those of rules."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from apps.alerting.enums import AlertState, TransitionReason
from apps.alerting.models import Alert, AlertEvent
from apps.alerting.services.alert_rows import alerts_lock
from detectviz.runtime import signals
from detectviz.tenancy.writing import Prepared, columns_write, rows_write, values_prepare

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
    words = [
        word
        for alert in alerts
        if not (word := _Word.of(alert, known.get(alert.fingerprint), now)).is_idle
    ]
    words.sort(key=lambda word: word.alert.fingerprint)  # the one order of locks
    labels = values_prepare(Alert, "labels", [word.alert.labels for word in words])
    annotations = values_prepare(Alert, "annotations", [word.alert.annotations for word in words])
    _write(org_id, words, labels, annotations, now)
    changed = [place for place, word in enumerate(words) if word.state != word.was]
    if changed:
        _write_events(
            org_id,
            [words[place] for place in changed],
            Prepared(labels[place] for place in changed),
            Prepared(annotations[place] for place in changed),
            now,
        )
        _tell(org_id)
    return [words[place].alert.fingerprint for place in changed]


def external_alerts_end(*, org_id: int, fingerprints: Iterable[str], at: datetime) -> None:
    """Resolve alerts whose sender has gone silent. Call it in a transaction."""
    events: list[AlertEvent] = []
    rows = Alert.objects.for_org(org_id).filter(rule=None, state=AlertState.FIRING)
    for names in _batches(sorted(external_name(one) for one in fingerprints)):
        ended = list(rows.filter(name__in=names).select_for_update().order_by("fingerprint"))
        rows.filter(name__in=names).update(state=AlertState.RESOLVED, resolved_at=at)
        events += [_silent(row, at) for row in ended]
    if events:
        rows_write(events)
        _tell(org_id)


def external_alerts_sweep(*, org_id: int, active: Collection[str], now: datetime) -> None:
    """Resolve external alerts that are not ``active`` any more and forget old resolved ones."""
    rows = Alert.objects.for_org(org_id).filter(rule=None)
    old = rows.filter(state=AlertState.RESOLVED, resolved_at__lt=now - KEPT)
    firing = set(rows.filter(state=AlertState.FIRING).values_list("fingerprint", flat=True))
    ended = firing - set(active)
    names = {*map(external_name, ended), *old.values_list("name", flat=True)}
    alerts_lock(org_id=org_id, names=names)
    external_alerts_end(org_id=org_id, fingerprints=ended, at=now)
    old.delete()


@dataclass(frozen=True, slots=True)
class _Word:
    """What a program said beside what was known."""

    alert: ExternalAlert
    was: AlertState
    state: AlertState
    fired_at: datetime

    @classmethod
    def of(cls, alert: ExternalAlert, before: Alert | None, now: datetime) -> "_Word":
        """Join a word and the row it meets."""
        state = AlertState.FIRING if alert.resolved_at is None else AlertState.RESOLVED
        was = AlertState.INACTIVE if before is None else AlertState(before.state)
        began = before.fired_at if before is not None and was == AlertState.FIRING else None
        return cls(alert, was, state, began or now)

    @property
    def is_idle(self) -> bool:
        """Say whether it ends what does not fire."""
        return self.state == AlertState.RESOLVED and self.was != AlertState.FIRING


def _write(
    org_id: int,
    words: Sequence[_Word],
    labels: Prepared,
    annotations: Prepared,
    now: datetime,
) -> None:
    columns_write(
        Alert,
        {
            "name": [external_name(word.alert.fingerprint) for word in words],
            "fingerprint": [word.alert.fingerprint for word in words],
            "labels": labels,
            "annotations": annotations,
            "state": [word.state for word in words],
            "active_at": [word.alert.starts_at for word in words],
            "fired_at": [word.fired_at for word in words],
            "resolved_at": [word.alert.resolved_at for word in words],
            "sender": [word.alert.sender for word in words],
            "generator_url": [word.alert.generator_url for word in words],
        },
        same={"org_id": org_id, "value": "", "last_sent_at": now},
        unique=("org", "name"),
        update=_WRITTEN,
    )


def _write_events(
    org_id: int,
    words: Sequence[_Word],
    labels: Prepared,
    annotations: Prepared,
    now: datetime,
) -> None:
    columns_write(
        AlertEvent,
        {
            "rule_name": [str(word.alert.labels.get("alertname", ""))[:255] for word in words],
            "fingerprint": [word.alert.fingerprint for word in words],
            "labels": labels,
            "annotations": annotations,
            "previous": [word.was for word in words],
            "state": [word.state for word in words],
            "at": [word.alert.resolved_at or now for word in words],
        },
        same={"org_id": org_id, "group_name": "", "value": ""},
    )


def _silent(row: Alert, at: datetime) -> AlertEvent:
    return AlertEvent(
        org_id=row.org_id,
        group_name="",
        rule_name=row.rule_name[:255],
        fingerprint=row.fingerprint,
        labels=row.labels,
        annotations=row.annotations,
        previous=AlertState.FIRING,
        state=AlertState.RESOLVED,
        reason=TransitionReason.SENDER_SILENT,
        value="",
        at=at,
    )


def _tell(org_id: int) -> None:
    payload = {"org": org_id, "event": "alerts", "data": {"group": ""}}
    signals.send_on_commit("web", payload)


def _batches(names: Sequence[str]) -> Iterable[Sequence[str]]:
    return [names[start : start + _BATCH] for start in range(0, len(names), _BATCH)]
