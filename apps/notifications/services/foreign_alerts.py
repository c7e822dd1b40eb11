"""Alerts of other programs: merged with what is known, put into the inbox, ended in time.

Semantics of Alertmanager's ``POST /api/v2/alerts`` (api/v2/api.go, provider/mem).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter

from django.db import connection, transaction
from django.db.models import QuerySet

from apps.alerting.selectors import closed_starts, external_alert_orgs
from apps.alerting.services.external_alerts import (
    external_alerts_end,
    external_alerts_record,
    external_alerts_sweep,
)
from apps.alerting.services.handling import handlings_end
from apps.notifications.models import RoutedAlert
from apps.notifications.services.foreign_words import (
    ForeignAlert,
    Known,
    Word,
    word_merged,
    words_checked,
)
from apps.notifications.services.inbox import DISPATCH, alerts_enter
from apps.notifications.services.resolve_timeouts import resolve_timeout
from detectviz.runtime.wakeups import wake_on_commit
from detectviz.tenancy.listed import Texts
from detectviz.tenancy.writing import columns_update, columns_write

UNATTENDED = timedelta(minutes=1)  # an end that passed so long ago passed while we were down
MAX_ACTIVE = 100_000
_MOST_ENDED = 5_000  # at a time, so that others write meanwhile
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
class Intake:
    """What became of a request's alerts; ``errors`` are Alertmanager's words, one per refusal."""

    accepted: int
    errors: Sequence[str]


@dataclass(slots=True)
class _Records:
    """What is to be written: words with their versions, and only the end of those repeated."""

    words: list[Word]
    versions: list[int]
    repeats: dict[int, Word]  # by the key of the row
    has_news: bool


def foreign_alerts_accept(
    *, org_id: int, alerts: Iterable[ForeignAlert], sender: str, now: datetime
) -> Intake:
    """Take the valid ones of ``alerts`` and say what is wrong with the others.

    A missing start is now (or the end), a missing end the org's
    ``resolve_timeout`` from now. What a rule of
    the org says of the same label set counts more: the foreign word is then left aside.
    """
    said = list(alerts)
    is_open = any(alert.ends_at is None for alert in said)
    until = now + resolve_timeout(org_id) if is_open else now
    words, errors = words_checked(said, now=now, until=until)  # others may write meanwhile
    with transaction.atomic():
        return _take(org_id, words, errors, sender, now)


def _take(
    org_id: int, words: dict[str, Word], errors: list[str], sender: str, now: datetime
) -> Intake:
    left = _leave_closed(org_id, words, now)
    known = _known(org_id, words)
    fresh = words.keys() - known.keys()
    if fresh and _is_full(org_id, len(fresh)):
        errors.append(f"limit of {MAX_ACTIVE} active alerts of other programs reached")
        words = {key: word for key, word in words.items() if key in known}
    if words and connection.features.has_select_for_update:
        begins = [word for key, word in words.items() if key in fresh and word.ends_at > now]
        alerts_enter(_entered(org_id, word, now) for word in begins)
        known = _known(org_id, words, is_locked=True)
    _save(org_id, _records(words, known, now), sender, now)
    return Intake(accepted=len(words) + left, errors=errors)


def _leave_closed(org_id: int, words: dict[str, Word], now: datetime) -> int:
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
    ended = 0
    rows = RoutedAlert.objects.across_orgs(reason=_ACROSS)
    lapsed = rows.filter(is_external=True, is_resolved=False, ends_at__lte=now)
    if not lapsed.exists():
        return 0  # an idle tick must not take SQLite's write lock
    with transaction.atomic():
        free = lapsed.select_for_update(skip_locked=True).order_by("pk")[:_MOST_ENDED]
        found = list(free.values_list("org_id", "pk", "fingerprint", "ends_at"))
        for org_id, rows_of in groupby(sorted(found), key=itemgetter(0)):
            of_org = list(rows_of)
            late = [pk for _, pk, _, ends_at in of_org if ends_at < now - UNATTENDED]
            over = {pk: key for _, pk, key, ends_at in of_org if ends_at >= now - UNATTENDED}
            until = now + resolve_timeout(org_id)
            columns_update(RoutedAlert, late, {}, same={"ends_at": until})
            columns_update(RoutedAlert, list(over), {}, same={"is_resolved": True})
            external_alerts_end(org_id=org_id, fingerprints=over.values(), at=now)
            ended += len(over)
    return ended


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


def _known(org_id: int, words: Mapping[str, Word], *, is_locked: bool = False) -> dict[str, Known]:
    """Return what the inbox holds of those heard of before."""
    rows = RoutedAlert.objects.for_org(org_id).filter(fingerprint__in=Texts(list(words)))
    if is_locked:
        rows = rows.select_for_update().order_by("fingerprint")
    return {row.fingerprint: row for row in map(Known._make, rows.values_list(*Known._fields))}


def _is_full(org_id: int, more: int) -> bool:
    """Whether so many more would be beyond the limit.

    Nearly always all rows of the org are fewer, which an index tells without looking at any.
    """
    rows = RoutedAlert.objects.for_org(org_id)
    active = rows.filter(is_external=True, is_resolved=False)
    return all(_has_more_than(some, MAX_ACTIVE - more) for some in (rows, active))


def _has_more_than(rows: "QuerySet[RoutedAlert]", count: int) -> bool:
    return count < 0 or bool(rows.values_list("pk")[count : count + 1])


def _records(words: Mapping[str, Word], known: Mapping[str, Known], now: datetime) -> _Records:
    """Decide what to write, in the order of fingerprints."""
    found = _Records([], [], {}, has_news=False)
    for key in sorted(words):
        old = known.get(key)
        told = _told(words[key], old, now)
        if told is None:
            continue
        word, version = told
        found.has_news |= version > (old.routed_version if old is not None else 0)
        if old is not None and version == old.version and _is_repeat(old, word):
            found.repeats[old.pk] = word
        else:
            found.words.append(word)
            found.versions.append(version)
    return found


def _told(word: Word, old: Known | None, now: datetime) -> tuple[Word, int] | None:
    """Return what holds now and its version; None where the word changes nothing we would tell."""
    is_over = word.ends_at <= now
    if old is None:
        return None if is_over else (word, 1)
    was_over = old.is_over(now)
    if not old.is_external:
        return (word, old.version + (is_over != was_over)) if was_over else None
    merged = word_merged(old, word, now)
    return merged, old.version + ((merged.ends_at <= now) != was_over)


def _is_repeat(old: Known, word: Word) -> bool:
    """Whether a word of the same firing differs in when it ends, at most."""
    return (
        old.is_external
        and not old.is_resolved
        and old.starts_at == word.starts_at
        and old.annotations == word.annotations
        and old.generator_url == word.generator_url
    )


def _entered(org_id: int, word: Word, now: datetime) -> RoutedAlert:
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


def _save(org_id: int, records: _Records, sender: str, now: datetime) -> None:
    words, repeats = records.words, list(records.repeats.values())
    columns_write(
        RoutedAlert,
        {
            "fingerprint": [word.fingerprint for word in words],
            "labels": [word.labels for word in words],
            "annotations": [word.annotations for word in words],
            "starts_at": [word.starts_at for word in words],
            "ends_at": [word.ends_at for word in words],
            "is_resolved": [word.ends_at <= now for word in words],
            "generator_url": [word.generator_url for word in words],
            "is_timeout": [word.is_timeout for word in words],
            "version": records.versions,
        },
        same={"org_id": org_id, "is_external": True, "updated_at": now},
        unique=("org", "fingerprint"),
        update=_WRITTEN,
    )
    columns_update(
        RoutedAlert,
        list(records.repeats),
        {
            "ends_at": [word.ends_at for word in repeats],
            "is_timeout": [word.is_timeout for word in repeats],
        },
        same={"updated_at": now},
    )
    external_alerts_record(org_id=org_id, alerts=words, repeated=repeats, sender=sender, now=now)
    if records.has_news:
        wake_on_commit(DISPATCH)
