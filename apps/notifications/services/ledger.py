"""The suppression ledger: who was not told of what, since when, and why.

A row is written when a chain of reasons begins or becomes another, and closed when it ends; what
stays as it is costs one look. What other rows say already (a group that waits, a receiver that
was told) is not written again: ``selectors.suppressions_of`` reads it from there.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from apps.alerting.services.suppression import alerts_suppress
from apps.notifications.enums import SuppressionEnding, SuppressionKind
from apps.notifications.models import AlertGroup, Delivery, RoutedAlert, SuppressionEntry
from apps.notifications.services.alert_facts import AlertFacts
from apps.notifications.services.causes import Cause, Causes
from detectviz.tenancy.listed import Keys, Texts

# Those that hold an alert itself back, not what is done with it afterwards.
HOLDING = frozenset(
    {
        SuppressionKind.INHIBITION,
        SuppressionKind.ACTIVE_TIME,
        SuppressionKind.MUTE_TIME,
        SuppressionKind.SILENCE,
        SuppressionKind.MAINTENANCE,
        SuppressionKind.DEPENDENCY,
        SuppressionKind.ACKNOWLEDGED,
        SuppressionKind.SNOOZED,
        SuppressionKind.FLAPPING,
    }
)
_BATCH = 500
_LONGEST_DETAIL = 300
_Place = tuple[str, str]  # key digest, fingerprint


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupState:
    """Alerts of one group, and what holds each of them back now."""

    group: AlertGroup
    alerts: Sequence[AlertFacts]
    causes: Causes


def ledger_update(*, org_id: int, states: Iterable[GroupState], now: datetime) -> set[str]:
    """Bring the ledger up to date; return whose chains changed, for ``alerts_sync``.

    Says nothing about alerts of these groups that are not among ``alerts``. Call it in a
    transaction that has locked the groups.
    """
    given = [state for state in states if state.alerts]
    open_rows = _open_rows(org_id, [state.group.key_digest for state in given])
    changes = _Changes()
    for state in given:
        for alert in state.alerts:
            row = open_rows.get((state.group.key_digest, alert.fingerprint))
            changes.note(state, alert, row, now)
    changes.write(org_id, now)
    return changes.fingerprints


@dataclass(slots=True)
class _Changes:
    """What has to be written."""

    new: list[SuppressionEntry] = field(default_factory=list)
    renewed: list[SuppressionEntry] = field(default_factory=list)
    ended: dict[SuppressionEnding, list[int]] = field(default_factory=lambda: defaultdict(list))
    fingerprints: set[str] = field(default_factory=set)

    def note(
        self, state: GroupState, alert: AlertFacts, row: SuppressionEntry | None, now: datetime
    ) -> None:
        """Compare what holds an alert back with its open row."""
        causes = state.causes.get(alert.fingerprint, ())
        chain = [cause.as_json() for cause in causes]
        if chain == (row.causes if row is not None else []):
            return
        self.fingerprints.add(alert.fingerprint)
        if row is not None and _names(row.causes) == _names(chain):
            row.causes, row.until = chain, _until(causes)
            self.renewed.append(row)
            return
        if row is not None:
            ending = SuppressionEnding.CHANGED if chain else SuppressionEnding.TOLD
            self.ended[ending].append(row.pk)
        if chain:
            self.new.append(_entry(state, alert, chain, now))

    def write(self, org_id: int, now: datetime) -> None:
        """Write them."""
        rows = SuppressionEntry.objects.for_org(org_id)
        for ending, keys in self.ended.items():
            rows.filter(pk__in=Keys(keys)).update(ended_at=now, ending=ending)
        if self.renewed:
            rows.bulk_update(self.renewed, ["causes", "until"], batch_size=_BATCH)
        _insert(org_id, self.new)


def entries_close(
    *,
    org_id: int,
    ending: SuppressionEnding,
    now: datetime,
    key_digest: str | None = None,
    fingerprints: Collection[str] | None = None,
    receiver: str | None = None,
) -> set[str]:
    """Close the open rows of an org, of one group, of some alerts, or of one receiver.

    Returns whose chains changed, for ``alerts_sync``; a receiver's rows are no part of those.
    """
    rows = SuppressionEntry.objects.for_org(org_id).filter(ended_at__isnull=True)
    if key_digest is not None:
        rows = rows.filter(key_digest=key_digest)
    if receiver is not None:
        rows = rows.filter(receiver=receiver)
    if fingerprints is not None:
        rows = rows.filter(fingerprint__in=Texts(fingerprints))
    closed = dict(rows.values_list("pk", "fingerprint"))
    if closed:
        rows.filter(pk__in=Keys(closed)).update(ended_at=now, ending=ending)
    return set() if receiver is not None else set(closed.values())


def delivery_held(*, delivery: Delivery, kind: SuppressionKind, detail: str, now: datetime) -> None:
    """Write down that one receiver could not be told of alerts; once, however often it is tried."""
    rows = SuppressionEntry.objects.for_org(delivery.org_id)
    place = {
        "key_digest": delivery.key_digest,
        "contact_point": delivery.contact_point,
        "receiver": delivery.receiver,
    }
    known = set(rows.filter(**place, ended_at__isnull=True).values_list("fingerprint", flat=True))
    cause = Cause(kind=kind, name=delivery.receiver, detail=detail[:_LONGEST_DETAIL])
    unknown = Texts(one for one in delivery.firing if one not in known)
    alerts = RoutedAlert.objects.for_org(delivery.org_id).filter(fingerprint__in=unknown)
    new = [
        SuppressionEntry(
            org_id=delivery.org_id,
            fingerprint=fingerprint,
            labels=labels,
            group_key=delivery.group_key,
            kind=kind,
            causes=[cause.as_json()],
            since=now,
            **place,
        )
        for fingerprint, labels in alerts.values_list("fingerprint", "labels")
    ]
    _insert(delivery.org_id, new)


def deliveries_told(*, deliveries: Sequence[Delivery], now: datetime) -> None:
    """Close what was written about a receiver that has been told these now."""
    SuppressionEntry.objects.for_org(deliveries[0].org_id).filter(
        key_digest__in=[each.key_digest for each in deliveries],
        contact_point=deliveries[0].contact_point,
        receiver=deliveries[0].receiver,
        ended_at__isnull=True,
    ).update(ended_at=now, ending=SuppressionEnding.TOLD)


def never_told_write(*, group: AlertGroup, alerts: Sequence[AlertFacts], now: datetime) -> None:
    """Write down that alerts were over before their group was told of them."""
    cause = Cause(
        kind=SuppressionKind.GROUPING,
        name=group.group_key,
        detail="it was over before its group was next told",
    )
    state = GroupState(group=group, alerts=alerts, causes={})
    rows = [_entry(state, alert, [cause.as_json()], alert.starts_at) for alert in alerts]
    for row in rows:
        row.ended_at, row.ending = now, SuppressionEnding.OVER
    _insert(group.org_id, rows)


def alerts_sync(*, org_id: int, fingerprints: Iterable[str]) -> None:
    """Show on alerts what the ledger says holds them back; each cause once.

    The last act of a transaction: it locks rows of alerts, which evaluations lock last too.
    """
    shown: dict[str, dict[tuple[str, str], Any]] = {one: {} for one in sorted(set(fingerprints))}
    if not shown:
        return
    rows = SuppressionEntry.objects.for_org(org_id).filter(
        fingerprint__in=Texts(shown), ended_at__isnull=True, receiver=""
    )
    for fingerprint, causes in rows.order_by("pk").values_list("fingerprint", "causes"):
        for cause in causes:
            if cause["kind"] in HOLDING:
                shown[fingerprint].setdefault((cause["kind"], cause["name"]), cause)
    alerts_suppress(
        org_id=org_id, causes={one: list(found.values()) for one, found in shown.items()}
    )


def _open_rows(org_id: int, digests: Sequence[str]) -> dict[_Place, SuppressionEntry]:
    rows = SuppressionEntry.objects.for_org(org_id).filter(
        key_digest__in=Texts(digests), ended_at__isnull=True, receiver=""
    )
    return {(row.key_digest, row.fingerprint): row for row in rows}


def _entry(
    state: GroupState, alert: AlertFacts, chain: list[dict[str, Any]], since: datetime
) -> SuppressionEntry:
    return SuppressionEntry(
        org_id=state.group.org_id,
        fingerprint=alert.fingerprint,
        labels=alert.labels,
        contact_point=state.group.contact_point,
        group_key=state.group.group_key,
        key_digest=state.group.key_digest,
        kind=chain[0]["kind"],
        causes=chain,
        since=since,
        until=_until(state.causes.get(alert.fingerprint, ())),
    )


def _insert(org_id: int, rows: Sequence[SuppressionEntry]) -> None:
    if rows:
        # Two dispatchers may see the same reason begin; the first one's row stays.
        SuppressionEntry.objects.for_org(org_id).bulk_create(
            rows, batch_size=_BATCH, ignore_conflicts=True
        )


def _until(chain: Sequence[Cause]) -> datetime | None:
    """Return when the last reason ends; None when one has no known end."""
    ends = [cause.until for cause in chain]
    known = [end for end in ends if end is not None]
    return max(known) if known and len(known) == len(ends) else None


def _names(chain: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    return [(cause["kind"], cause["name"]) for cause in chain]
