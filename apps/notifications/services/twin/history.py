"""The alerts of a replay: those of the stored history, or of a file."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import models

from apps.alerting.models import AlertEvent
from apps.alerting.selectors import FIRING_STATES, firing_at, firing_changes
from apps.alerting.services.fingerprints import fingerprint
from apps.notifications.services.twin.values import AlertWord
from detectviz.resources.errors import InvalidFieldsError, LimitExceededError

MAX_CHANGES = 20_000


def words_stored(*, org: models.Model, since: datetime, until: datetime) -> list[AlertWord]:
    """Return what alerting said in a window; what fired before it is said at its beginning.

    Raise LimitExceededError for more than 20,000 changes.
    """
    before = list(firing_at(org, since, limit=MAX_CHANGES + 1))
    within = list(firing_changes(org, since, until, limit=MAX_CHANGES + 1))
    if len(before) + len(within) > MAX_CHANGES:
        raise LimitExceededError(
            f"More than {MAX_CHANGES} changes of alerts lie in this time; ask about a shorter one."
        )
    words = [_word(event, since) for event in before]
    return words + [_word(event, event.at) for event in within]


def _word(event: AlertEvent, at: datetime) -> AlertWord:
    return AlertWord(
        at=at,
        fingerprint=event.fingerprint,
        labels=event.labels,
        is_resolved=event.state not in FIRING_STATES,
        starts_at=event.at,
        rule_group=event.group_name,
    )


def words_given(
    alerts: Sequence[Mapping[str, Any]], *, since: datetime, until: datetime
) -> list[AlertWord]:
    """Return the words of checked alerts (labels, starts_at, ends_at or None) in order of time.

    Raise InvalidFieldsError for one outside the window, or without labels.
    """
    words = [
        word for index, each in enumerate(alerts) for word in _given(index, each, since, until)
    ]
    if len(words) > MAX_CHANGES:
        raise LimitExceededError(f"At most {MAX_CHANGES} changes of alerts can be replayed.")
    return sorted(words, key=lambda word: (word.at, word.is_resolved))


def _given(
    index: int, alert: Mapping[str, Any], since: datetime, until: datetime
) -> Iterator[AlertWord]:
    labels = {name: text for name, text in alert["labels"].items() if text}
    starts_at, ends_at = alert["starts_at"], alert.get("ends_at")
    if not labels:
        raise InvalidFieldsError({f"alerts[{index}].labels": ["At least one is needed."]})
    if ends_at is not None and ends_at <= starts_at:
        raise InvalidFieldsError({f"alerts[{index}].ends_at": ["It ends before it starts."]})
    if starts_at >= until or (ends_at is not None and ends_at < since):
        raise InvalidFieldsError({f"alerts[{index}].starts_at": ["It lies outside the window."]})
    key = fingerprint(labels)
    yield AlertWord(
        at=max(starts_at, since),
        fingerprint=key,
        labels=labels,
        is_resolved=False,
        starts_at=starts_at,
        rule_group=alert.get("rule_group", ""),
    )
    if ends_at is not None and ends_at < until:
        yield AlertWord(
            at=ends_at, fingerprint=key, labels=labels, is_resolved=True, starts_at=starts_at
        )
