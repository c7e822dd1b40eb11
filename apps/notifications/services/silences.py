"""Writing silences, by Alertmanager's rules of what an edit may change (silence/silence.go)."""

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from django.db import models, transaction

from apps.notifications.enums import SilenceState
from apps.notifications.models import RoutingTree, Silence
from apps.notifications.services.matchers import MatcherError, canonical, parse_matcher
from apps.notifications.services.recurrence import (
    RecurrenceError,
    muting_until,
    next_change_at,
    occurrences,
)
from detectviz.contracts.durations import parse_duration_s
from detectviz.resources.errors import InvalidFieldsError, LimitExceededError
from detectviz.resources.models import new_uid
from detectviz.runtime.wakeups import wake_on_commit

DISPATCH = "notifications.dispatch"
EXPIRED_KEPT = timedelta(hours=120)  # Alertmanager's data.retention
MAX_SILENCES = 10_000
MAX_BYTES = 64 * 1024
_NAME_PART = 42


@dataclass(frozen=True, slots=True, kw_only=True)
class SilenceDraft:
    """What a silence is to be. ``starts_at`` of None is now, or what it was."""

    matcher_sets: Sequence[Sequence[str]]
    starts_at: datetime | None
    ends_at: datetime
    title: str = ""
    comment: str = ""
    created_by: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)
    rrule: str = ""
    duration_ms: int = 0
    location: str = "UTC"
    remind_before_ms: int = 0
    folder: models.Model | None = None


def silence_state(silence: Silence, now: datetime) -> SilenceState:
    """Return where a silence is in its life; a recurring one is active between its occurrences."""
    if now < silence.starts_at:
        return SilenceState.PENDING
    return SilenceState.ACTIVE if now < silence.ends_at else SilenceState.EXPIRED


def silence_write(
    *,
    org: models.Model,
    name: str,
    draft: SilenceDraft,
    instance: Silence | None,
    actor: models.Model | None,
    now: datetime,
) -> Silence:
    """Create or change a silence; raise InvalidFieldsError or LimitExceededError.

    What history would contradict becomes a new silence: the row keeps its name and gets a new
    ``uid``, and the old one stays beside it under its ``uid``, expired.
    """
    changed = _drafted(instance, org=org, name=name, draft=draft, now=now)
    if instance is not None and _content(instance) == _content(changed):
        return instance
    if errors := dict(_errors(changed, org, now)):
        raise InvalidFieldsError(errors)
    is_new = instance is None or not _can_update(instance, changed, now)
    if is_new:
        _require_room(org)
        changed.starts_at = max(changed.starts_at, now)
    if len(orjson.dumps(_content(changed))) > MAX_BYTES:
        raise LimitExceededError(f"A silence has {MAX_BYTES} bytes at most.")
    if instance is not None and is_new:
        changed.uid = new_uid()
    if instance is None or is_new:
        changed.creator_id = actor.pk if actor is not None else None
        changed.created_by = draft.created_by or str(actor or "")
    _set_timers(changed, now)
    with transaction.atomic():
        changed.save()
        if instance is not None and is_new:
            _archive(instance, now)
    wake_on_commit(DISPATCH)
    return changed


def silence_problems(
    *, org: models.Model, draft: SilenceDraft, instance: Silence | None, now: datetime
) -> dict[str, list[str]]:
    """Return what a write of the draft would be refused for, by field; nothing is written."""
    try:
        changed = _drafted(instance, org=org, name="draft", draft=draft, now=now)
    except InvalidFieldsError as error:
        return {name: list(messages) for name, messages in error.fields.items()}
    return dict(_errors(changed, org, now))


def silence_expire(*, silence: Silence, now: datetime) -> Silence:
    """End a silence now; one that is over stays as it is."""
    state = silence_state(silence, now)
    if state is not SilenceState.EXPIRED:
        if state is SilenceState.PENDING:
            silence.starts_at = now
        silence.ends_at, silence.remind_at, silence.next_change_at = now, None, now
        silence.save()
        wake_on_commit(DISPATCH)
    return silence


def silence_delete(*, silence: Silence, now: datetime) -> None:
    """Take a silence away; what it muted is told again from the next flush on."""
    is_muting = muting_until(silence, now) is not None
    if not is_muting:
        silence.delete()
        return
    # The dispatcher takes back what it wrote about the alerts; it finds the row by this timer.
    silence_expire(silence=silence, now=now)
    silence.name = f"{silence.name[:_NAME_PART]}-{silence.uid}"
    silence.save(update_fields=["name"])


def silence_uid_of(*, org: models.Model, uid: str) -> Silence | None:
    """Return the silence of an id, as Alertmanager's API knows it."""
    found: Silence | None = Silence.objects.for_org(org).filter(uid=uid).first()
    return found


def _drafted(
    instance: Silence | None, *, org: models.Model, name: str, draft: SilenceDraft, now: datetime
) -> Silence:
    """Return a row as drafted, not saved; what identifies it is the instance's."""
    silence = copy(instance) if instance is not None else Silence(org_id=org.pk, name=name)
    silence.matcher_sets = _canonical_sets(draft.matcher_sets)
    silence.starts_at = _start(instance, draft.starts_at, now)
    silence.ends_at = draft.ends_at
    silence.title, silence.comment = draft.title, draft.comment
    silence.annotations = dict(draft.annotations)
    silence.rrule, silence.duration_ms = draft.rrule, draft.duration_ms
    silence.location, silence.remind_before_ms = draft.location, draft.remind_before_ms
    silence.created_by = draft.created_by or (instance.created_by if instance else "")
    silence.folder_id = draft.folder.pk if draft.folder else None
    return silence


def _start(instance: Silence | None, wanted: datetime | None, now: datetime) -> datetime:
    if instance is None or silence_state(instance, now) is SilenceState.PENDING:
        return wanted or (instance.starts_at if instance else now)
    # A manifest goes on saying when it wanted to start; that was not later than it did.
    return instance.starts_at if wanted is None or wanted <= instance.starts_at else wanted


def _canonical_sets(sets: Sequence[Sequence[str]]) -> list[list[str]]:
    try:
        return [sorted(canonical(texts)) for texts in sets]
    except MatcherError as error:
        raise InvalidFieldsError({"spec.matchers": [str(error)]}) from error


def _content(silence: Silence) -> dict[str, Any]:
    """Return what a person says of a silence."""
    return {
        "matchers": silence.matcher_sets,
        "times": [silence.starts_at.isoformat(), silence.ends_at.isoformat()],
        "words": [silence.title, silence.comment, silence.created_by, silence.annotations],
        "recurrence": [silence.rrule, silence.duration_ms, silence.location],
        "rest": [silence.remind_before_ms, silence.folder_id],
    }


def _can_update(old: Silence, new: Silence, now: datetime) -> bool:
    """Say whether a change leaves the past as it was, so that the id may stay."""
    state = silence_state(old, now)
    if old.matcher_sets != new.matcher_sets or state is SilenceState.EXPIRED:
        return False
    if state is SilenceState.PENDING:
        return new.starts_at >= now
    is_same_start = int(old.starts_at.timestamp()) == int(new.starts_at.timestamp())
    is_same_rule = (old.rrule, old.duration_ms, old.location) == (
        *(new.rrule, new.duration_ms),
        new.location,
    )
    return is_same_start and is_same_rule and new.ends_at >= now


def _errors(silence: Silence, org: models.Model, now: datetime) -> Iterator[tuple[str, list[str]]]:
    if silence.ends_at <= silence.starts_at:
        yield "spec.ends_at", ["The end must be after the start."]
    elif silence.ends_at <= now:
        yield "spec.ends_at", ["The end is past already."]
    tree = RoutingTree.objects.for_org(org).first()
    policy = tree.root.get("silence_policy", {}) if tree else {}
    if messages := list(_matcher_errors(silence.matcher_sets, policy)):
        yield "spec.matchers", messages
    longest_s = parse_duration_s(policy["max_duration"]) if policy.get("max_duration") else None
    length_s = (silence.ends_at - max(silence.starts_at, now)).total_seconds()
    if longest_s is not None and not silence.rrule and length_s > longest_s:
        yield (
            "spec.ends_at",
            [f"This org silences for {policy['max_duration']} at most."],
        )
    yield from _recurrence_errors(silence)


def _matcher_errors(sets: Sequence[Sequence[str]], policy: Mapping[str, Any]) -> Iterator[str]:
    least, labels = policy.get("min_matchers", 1), policy.get("required_labels", [])
    if not sets:
        yield "Write at least one matcher."
    for texts in sets:
        telling = [each for each in map(parse_matcher, texts) if not each.matches_empty]
        if not telling:
            yield "At least one matcher must not match the empty string."
        elif len(telling) < least:
            yield f"This org wants {least} matchers that do not match the empty string."
        if missing := [label for label in labels if label not in {each.name for each in telling}]:
            yield f"This org wants a matcher on {', '.join(missing)}."


def _recurrence_errors(silence: Silence) -> Iterator[tuple[str, list[str]]]:
    try:
        ZoneInfo(silence.location)
    except (ValueError, OSError, KeyError):
        yield "spec.recurrence.location", [f"{silence.location!r} is no time zone."]
        return
    if not silence.rrule:
        return
    if not silence.duration_ms:
        yield "spec.recurrence.duration", ["Say how long each occurrence lasts."]
    try:
        found = occurrences(
            silence.rrule,
            starts_at=silence.starts_at,
            ends_at=silence.ends_at,
            location=silence.location,
        )
    except RecurrenceError as error:
        yield "spec.recurrence.rrule", [str(error)]
        return
    if not found:
        yield "spec.recurrence.rrule", ["This never occurs between starts_at and ends_at."]


def _require_room(org: models.Model) -> None:
    if Silence.objects.for_org(org).count() >= MAX_SILENCES:
        raise LimitExceededError(
            f"An org has {MAX_SILENCES} silences at most, those of the last five days included."
        )


def _set_timers(silence: Silence, now: datetime) -> None:
    """Have the dispatcher look at once, and the owner reminded in time."""
    silence.next_change_at = now if muting_until(silence, now) else next_change_at(silence, now)
    silence.remind_at = None
    if silence.remind_before_ms:
        at = silence.ends_at - timedelta(milliseconds=silence.remind_before_ms)
        silence.remind_at = at if at > now else None


def _archive(old: Silence, now: datetime) -> None:
    """Keep the silence as it was, under its own id, expired."""
    kept = {field.attname: getattr(old, field.attname) for field in old._meta.concrete_fields}
    del kept["id"]
    past = Silence(**kept)
    past.name = f"{old.name[:_NAME_PART]}-{old.uid}"
    if now < old.ends_at:
        past.starts_at, past.ends_at = min(old.starts_at, now), now
    past.remind_at, past.next_change_at = None, now
    past.save(force_insert=True)
