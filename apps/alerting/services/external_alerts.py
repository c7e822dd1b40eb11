"""Alerts that other programs sent, shown beside those of rules."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import connection
from django.db.models import QuerySet

from apps.alerting.enums import AlertState, TransitionReason
from apps.alerting.models import Alert, AlertEvent
from apps.alerting.services.alert_rows import alerts_lock
from detectviz.runtime import signals
from detectviz.tenancy.listed import Texts
from detectviz.tenancy.writing import Prepared, columns_update, columns_write, values_prepare

KEPT = timedelta(minutes=15)  # as long as a rule's resolved alert stays listed
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
    """What a program said last of one alert; it is over once its end has passed."""

    fingerprint: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at: datetime
    ends_at: datetime
    generator_url: str


def external_name(fingerprint: str) -> str:
    """Return the name of an external alert's row, unique in its org."""
    return f"external-{fingerprint}"


def external_alerts_record(
    *,
    org_id: int,
    alerts: Sequence[ExternalAlert],
    repeated: Sequence[ExternalAlert] = (),
    sender: str,
    now: datetime,
) -> Sequence[str]:
    """Write what programs said, with its history; return the fingerprints that changed state.

    Of those ``repeated`` nothing is new but that they were sent again. A resolve of an alert that
    is not known to fire is dropped. Call it in a transaction.
    """
    known = _known(org_id, [*alerts, *repeated])
    renewed = [each for each in repeated if _is_firing(known.get(each.fingerprint))]
    missed = [each for each in repeated if not _is_firing(known.get(each.fingerprint))]
    words = [_Word.of(alert, known.get(alert.fingerprint), now) for alert in (*alerts, *missed)]
    words = [word for word in words if not word.is_idle]
    words.sort(key=lambda word: word.alert.fingerprint)  # the one order of locks
    _renew(org_id, renewed, sender, now)
    labels = values_prepare(Alert, "labels", [word.alert.labels for word in words])
    annotations = values_prepare(Alert, "annotations", [word.alert.annotations for word in words])
    _write(org_id, words, labels, annotations, sender=sender, now=now)
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
    names = Texts([external_name(one) for one in fingerprints])
    rows = _in_order(Alert.objects.for_org(org_id).filter(name__in=names))
    known = rows.values_list("state", "pk", "fingerprint", "labels", "annotations")
    ended = [row for state, *row in known if state == AlertState.FIRING]
    if not ended:
        return
    keys, found, labels, annotations = zip(*ended, strict=True)
    columns_update(Alert, keys, {}, same={"state": AlertState.RESOLVED, "resolved_at": at})
    columns_write(
        AlertEvent,
        {
            "rule_name": [_alert_name(each) for each in labels],
            "fingerprint": found,
            "labels": labels,
            "annotations": annotations,
        },
        same={
            "org_id": org_id,
            "group_name": "",
            "previous": AlertState.FIRING,
            "state": AlertState.RESOLVED,
            "reason": TransitionReason.SENDER_SILENT,
            "value": "",
            "at": at,
        },
    )
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


class _Known(NamedTuple):
    """What is known of an external alert."""

    fingerprint: str
    state: str
    fired_at: datetime | None


class _Word(NamedTuple):
    """What a program said beside what was known."""

    alert: ExternalAlert
    was: AlertState
    state: AlertState
    fired_at: datetime
    resolved_at: datetime | None

    @classmethod
    def of(cls, alert: ExternalAlert, before: _Known | None, now: datetime) -> "_Word":
        """Join a word and the row it meets."""
        is_over = alert.ends_at <= now
        state = AlertState.RESOLVED if is_over else AlertState.FIRING
        was = AlertState.INACTIVE if before is None else AlertState(before.state)
        began = before.fired_at if before is not None and was == AlertState.FIRING else None
        return cls(alert, was, state, began or now, alert.ends_at if is_over else None)

    @property
    def is_idle(self) -> bool:
        """Say whether it ends what does not fire."""
        return self.state == AlertState.RESOLVED and self.was != AlertState.FIRING


def _known(org_id: int, alerts: Sequence[ExternalAlert]) -> dict[str, _Known]:
    """Return the rows these words meet."""
    names = Texts([external_name(alert.fingerprint) for alert in alerts])
    rows = _in_order(Alert.objects.for_org(org_id).filter(name__in=names))
    return {row.fingerprint: row for row in map(_Known._make, rows.values_list(*_Known._fields))}


def _in_order(rows: "QuerySet[Alert]") -> "QuerySet[Alert]":
    """Lock rows in the one order, where others may write too; SQLite would read all of an org."""
    if not connection.features.has_select_for_update:
        return rows.order_by()
    return rows.select_for_update().order_by("fingerprint")


def _is_firing(known: _Known | None) -> bool:
    return known is not None and known.state == AlertState.FIRING


def _renew(org_id: int, alerts: Sequence[ExternalAlert], sender: str, now: datetime) -> None:
    """Note that what fires was sent again; no index holds anything of that."""
    if alerts:
        names = Texts([external_name(alert.fingerprint) for alert in alerts])
        rows = Alert.objects.for_org(org_id).filter(name__in=names)
        rows.update(last_sent_at=now, sender=sender)


def _write(
    org_id: int,
    words: Sequence[_Word],
    labels: Prepared,
    annotations: Prepared,
    *,
    sender: str,
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
            "resolved_at": [word.resolved_at for word in words],
            "generator_url": [word.alert.generator_url for word in words],
        },
        same={"org_id": org_id, "value": "", "sender": sender, "last_sent_at": now},
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
            "rule_name": [_alert_name(word.alert.labels) for word in words],
            "fingerprint": [word.alert.fingerprint for word in words],
            "labels": labels,
            "annotations": annotations,
            "previous": [word.was for word in words],
            "state": [word.state for word in words],
            "at": [word.resolved_at or now for word in words],
        },
        same={"org_id": org_id, "group_name": "", "value": ""},
    )


def _alert_name(labels: Mapping[str, str]) -> str:
    return str(labels.get("alertname", ""))[:255]


def _tell(org_id: int) -> None:
    payload = {"org": org_id, "event": "alerts", "data": {"group": ""}}
    signals.send_on_commit("web", payload)
