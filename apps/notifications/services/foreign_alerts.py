"""Alerts of other programs: checked, merged with what is known, put into the inbox.

Semantics of Alertmanager's ``POST /api/v2/alerts`` (api/v2/api.go, provider/mem).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.db import transaction

from apps.alerting.selectors import closed_starts, external_alert_orgs
from apps.alerting.services.external_alerts import (
    ExternalAlert,
    external_alerts_end,
    external_alerts_record,
    external_alerts_sweep,
)
from apps.alerting.services.fingerprints import fingerprints
from apps.alerting.services.handling import handlings_end
from apps.notifications.models import RoutedAlert
from apps.notifications.services.inbox import DISPATCH, alerts_enter, fingerprints_heard
from apps.notifications.services.resolve_timeouts import resolve_timeout
from detectviz.runtime.wakeups import wake_on_commit
from detectviz.tenancy.writing import columns_write

UNATTENDED = timedelta(minutes=1)  # an end that passed so long ago passed while we were down
MAX_ACTIVE = 100_000
MAX_LABELS = 128
MAX_NAME_BYTES = 1024
MAX_ALERT_BYTES = 65_536
_BATCH = 500
_ACROSS = "the end of foreign alerts is looked for in every org at once"
_WRITTEN = (
    "labels",
    "annotations",
    "starts_at",
    "ends_at",
    "is_resolved",
    "value",
    "rule_group",
    "rule",
    "generator_url",
    "is_external",
    "is_timeout",
    "version",
    "updated_at",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignAlert:
    """One alert as a program sent it; times it left out are None."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    generator_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """What became of a request's alerts; ``errors`` are Alertmanager's words, one per refusal."""

    accepted: int
    errors: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Word:
    """A checked alert with its times filled in."""

    fingerprint: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at: datetime
    ends_at: datetime
    generator_url: str
    is_timeout: bool


@dataclass(frozen=True, slots=True)
class _Record:
    """A word as it is to be written."""

    word: _Word
    version: int
    routed_version: int


@transaction.atomic
def foreign_alerts_accept(
    *, org_id: int, alerts: Iterable[ForeignAlert], sender: str, now: datetime
) -> Intake:
    """Take the valid ones of ``alerts`` and say what is wrong with the others.

    A missing start is now (or the end), a missing end the org's
    ``resolve_timeout`` from now. What a rule of
    the org says of the same label set counts more: the foreign word is then left aside.
    """
    words: dict[str, _Word] = {}
    errors: list[str] = []
    until = now + resolve_timeout(org_id)
    said = list(alerts)
    labels = [{name: text for name, text in one.labels.items() if text != ""} for one in said]
    for alert, own, key in zip(said, labels, fingerprints(labels), strict=True):
        word = _completed(alert, own, key, now=now, until=until)
        problem = _problem(word)
        if problem:
            errors.append(problem)
        else:
            words[word.fingerprint] = word
    left = _leave_closed(org_id, words, now)
    heard = fingerprints_heard(org_id=org_id, fingerprints=list(words))
    fresh = words.keys() - heard
    if fresh and _active_count(org_id) + len(fresh) > MAX_ACTIVE:
        errors.append(f"limit of {MAX_ACTIVE} active alerts of other programs reached")
        words = {key: word for key, word in words.items() if key in heard}
    beginning = [words[key] for key in fresh & words.keys() if words[key].ends_at > now]
    alerts_enter(_entered(org_id, word, now) for word in beginning)
    known = _known(org_id, list(words))
    records = [_record(word, known.get(key), now) for key, word in sorted(words.items())]
    _save(org_id, [each for each in records if each is not None], sender, now)
    return Intake(accepted=len(words) + left, errors=errors)


def _leave_closed(org_id: int, words: dict[str, _Word], now: datetime) -> int:
    """Take away what goes on firing after somebody closed it by hand; what ends ends the closing.

    A sender that names no start says with each word that it begins now, and so fires anew. Returns
    how many were left aside.
    """
    closed = closed_starts(org_id)
    over = [word.fingerprint for word in words.values() if word.ends_at <= now]
    if over:
        handlings_end(org_id=org_id, fingerprints=over)
    left = [
        key
        for key in closed.keys() & words.keys()
        if words[key].ends_at > now and words[key].starts_at <= closed[key]
    ]
    for key in left:
        del words[key]
    return len(left)


def foreign_alerts_expire(*, now: datetime) -> int:
    """Resolve foreign alerts whose end has passed; return how many.

    While we were down no sender could renew its alerts. Those whose end passed meanwhile have
    ``resolve_timeout`` from now on, else every outage would tell their end and then their start.
    """
    rows = RoutedAlert.objects.across_orgs(reason=_ACROSS)
    lapsed = rows.filter(is_external=True, is_resolved=False, ends_at__lte=now)
    if not lapsed.exists():
        return 0  # an idle tick must not take SQLite's write lock
    ended = 0
    with transaction.atomic():
        by_org: dict[int, list[RoutedAlert]] = {}
        unattended: dict[int, list[int]] = {}
        for row in lapsed.select_for_update(skip_locked=True).order_by("pk")[: 10 * _BATCH]:
            if row.ends_at < now - UNATTENDED:
                unattended.setdefault(row.org_id, []).append(row.pk)
            else:
                by_org.setdefault(row.org_id, []).append(row)
        for org_id, keys in unattended.items():
            _put_off(keys, now + resolve_timeout(org_id))
        for org_id, found in sorted(by_org.items()):
            keys = [row.pk for row in found]
            for start in range(0, len(keys), _BATCH):
                own = RoutedAlert.objects.for_org(org_id).filter(
                    pk__in=keys[start : start + _BATCH]
                )
                own.update(is_resolved=True)
            external_alerts_end(
                org_id=org_id, fingerprints=[row.fingerprint for row in found], at=now
            )
            ended += len(found)
    return ended


def _put_off(keys: Sequence[int], ends_at: datetime) -> None:
    rows = RoutedAlert.objects.across_orgs(reason=_ACROSS)
    for start in range(0, len(keys), _BATCH):
        rows.filter(pk__in=keys[start : start + _BATCH]).update(ends_at=ends_at)


def foreign_alerts_sweep(*, now: datetime) -> None:
    """Forget resolved foreign alerts of the pages, and end those a rule has taken over."""
    rows = RoutedAlert.objects.across_orgs(reason=_ACROSS).filter(
        is_external=True, is_resolved=False
    )
    active: dict[int, list[str]] = {}
    for org_id, one in rows.values_list("org_id", "fingerprint"):
        active.setdefault(org_id, []).append(one)
    for org_id in external_alert_orgs():
        with transaction.atomic():
            external_alerts_sweep(org_id=org_id, active=active.get(org_id, ()), now=now)


def _completed(
    alert: ForeignAlert,
    labels: Mapping[str, str],
    fingerprint: str,
    *,
    now: datetime,
    until: datetime,
) -> _Word:
    starts_at = alert.starts_at or alert.ends_at or now
    return _Word(
        fingerprint=fingerprint,
        labels=labels,
        annotations=dict(alert.annotations),
        starts_at=starts_at,
        ends_at=alert.ends_at or until,
        generator_url=alert.generator_url,
        is_timeout=alert.ends_at is None,
    )


def _problem(word: _Word) -> str:
    """Return what Alertmanager says of a wrong alert, or of one beyond our limits."""
    if word.ends_at < word.starts_at:
        return "start time must be before end time"
    if not word.labels:
        return "at least one label pair required"
    for what, pairs in (("label set", word.labels), ("annotations", word.annotations)):
        for name, value in pairs.items():
            if not name or "\0" in name or len(name.encode()) > MAX_NAME_BYTES:
                return f'invalid {what}: invalid name "{name[:MAX_NAME_BYTES]}"'
            if "\0" in value:
                return f'invalid {what}: invalid value "{value[:MAX_NAME_BYTES]}"'
        if len(pairs) > MAX_LABELS:
            return f"invalid {what}: more than {MAX_LABELS} pairs"
    size = sum(
        len(text.encode())
        for pairs in (word.labels, word.annotations)
        for pair in pairs.items()
        for text in pair
    ) + len(word.generator_url)
    if size > MAX_ALERT_BYTES:
        return f"alert exceeded maximum size: {size} bytes (limit: {MAX_ALERT_BYTES} bytes)"
    return ""


def _known(org_id: int, fingerprints: Sequence[str]) -> dict[str, RoutedAlert]:
    rows = RoutedAlert.objects.for_org(org_id).select_for_update().order_by("fingerprint")
    found: dict[str, RoutedAlert] = {}
    wanted = sorted(fingerprints)
    for start in range(0, len(wanted), _BATCH):
        batch = rows.filter(fingerprint__in=wanted[start : start + _BATCH])
        found |= {row.fingerprint: row for row in batch}
    return found


def _active_count(org_id: int) -> int:
    return RoutedAlert.objects.for_org(org_id).filter(is_external=True, is_resolved=False).count()


def _record(word: _Word, old: RoutedAlert | None, now: datetime) -> _Record | None:
    """Return what to write, or None where the word changes nothing we would tell."""
    if old is None:
        return None if word.ends_at <= now else _Record(word, version=1, routed_version=0)
    was_over = old.is_resolved or (old.ends_at is not None and old.ends_at <= now)
    if not old.is_external and not was_over:
        return None
    merged = _merged(old, word, now) if old.is_external else word
    has_changed = (merged.ends_at <= now) != was_over
    return _Record(merged, old.version + has_changed, old.routed_version)


def _merged(old: RoutedAlert, word: _Word, now: datetime) -> _Word:
    """Join two words about overlapping times (Alertmanager's ``Alert.Merge``)."""
    old_end = old.ends_at or old.starts_at
    overlaps = old.starts_at < word.ends_at < old_end or old.starts_at < word.starts_at < old_end
    if not overlaps:
        return word
    joined = replace(word, starts_at=min(old.starts_at, word.starts_at))
    is_over = word.ends_at <= now
    keeps_end = old_end <= now if is_over else not old.is_timeout
    return replace(joined, ends_at=max(old_end, word.ends_at)) if keeps_end else joined


def _entered(org_id: int, word: _Word, now: datetime) -> RoutedAlert:
    return RoutedAlert(
        org_id=org_id,
        fingerprint=word.fingerprint,
        labels=dict(word.labels),
        annotations=dict(word.annotations),
        starts_at=word.starts_at,
        ends_at=word.ends_at,
        generator_url=word.generator_url,
        is_external=True,
        is_timeout=word.is_timeout,
        updated_at=now,
    )


def _save(org_id: int, records: Sequence[_Record], sender: str, now: datetime) -> None:
    if not records:
        return
    words = [record.word for record in records]
    over = [word.ends_at <= now for word in words]
    columns_write(
        RoutedAlert,
        {
            "fingerprint": [word.fingerprint for word in words],
            "labels": [word.labels for word in words],
            "annotations": [word.annotations for word in words],
            "starts_at": [word.starts_at for word in words],
            "ends_at": [word.ends_at for word in words],
            "is_resolved": over,
            "generator_url": [word.generator_url for word in words],
            "is_timeout": [word.is_timeout for word in words],
            "version": [record.version for record in records],
        },
        same={"org_id": org_id, "is_external": True, "updated_at": now},
        unique=("org", "fingerprint"),
        update=_WRITTEN,
    )
    said = [
        ExternalAlert(
            fingerprint=word.fingerprint,
            labels=word.labels,
            annotations=word.annotations,
            starts_at=word.starts_at,
            resolved_at=word.ends_at if is_over else None,
            sender=sender,
            generator_url=word.generator_url,
        )
        for word, is_over in zip(words, over, strict=True)
    ]
    external_alerts_record(org_id=org_id, alerts=said, now=now)
    if any(record.version > record.routed_version for record in records):
        wake_on_commit(DISPATCH)
