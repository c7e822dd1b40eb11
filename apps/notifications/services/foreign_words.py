"""What a program says of alerts: checked, and joined with what was known.

Semantics of Alertmanager's ``POST /api/v2/alerts`` (api/v2/api.go, types.Alert).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from apps.alerting.services.external_alerts import ExternalAlert
from apps.alerting.services.fingerprints import fingerprints

MAX_LABELS = 128
MAX_NAME_BYTES = 1024
MAX_ALERT_BYTES = 65_536
_MOST_BYTES = 4  # of one character


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignAlert:
    """One alert as a program sent it; times it left out are None."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    generator_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Word(ExternalAlert):
    """A checked alert with its times filled in; ``is_timeout`` marks an end we set ourselves."""

    is_timeout: bool


class Known(NamedTuple):
    """What the inbox holds of an alert, as far as a new word of it needs."""

    pk: int
    fingerprint: str
    annotations: Mapping[str, str]
    starts_at: datetime
    ends_at: datetime | None
    is_resolved: bool
    generator_url: str
    is_external: bool
    is_timeout: bool
    version: int
    routed_version: int

    def is_over(self, now: datetime) -> bool:
        """Whether it has ended."""
        return self.is_resolved or (self.ends_at is not None and self.ends_at <= now)


def words_checked(
    alerts: Sequence[ForeignAlert], *, now: datetime, until: datetime
) -> tuple[dict[str, Word], list[str]]:
    """Return the last word about each alert by fingerprint, and what is wrong with the others.

    A missing start is ``now`` (or the end), a missing end ``until``.
    """
    words: dict[str, Word] = {}
    errors: list[str] = []
    labels = [_filled(alert.labels) for alert in alerts]
    for alert, own, key in zip(alerts, labels, fingerprints(labels), strict=True):
        word = Word(
            fingerprint=key,
            labels=own,
            annotations=alert.annotations,
            starts_at=alert.starts_at or alert.ends_at or now,
            ends_at=alert.ends_at or until,
            generator_url=alert.generator_url,
            is_timeout=alert.ends_at is None,
        )
        problem = _problem(word)
        if problem:
            errors.append(problem)
        else:
            words[key] = word
    return words, errors


def word_merged(old: Known, word: Word, now: datetime) -> Word:
    """Join two words about overlapping times (Alertmanager's ``Alert.Merge``)."""
    old_end = old.ends_at or old.starts_at
    overlaps = old.starts_at < word.ends_at < old_end or old.starts_at < word.starts_at < old_end
    if not overlaps:
        return word
    is_over = word.ends_at <= now
    keeps_end = old_end <= now if is_over else not old.is_timeout
    starts_at = min(old.starts_at, word.starts_at)
    ends_at = max(old_end, word.ends_at) if keeps_end else word.ends_at
    if starts_at == word.starts_at and ends_at == word.ends_at:
        return word
    return replace(word, starts_at=starts_at, ends_at=ends_at)


def _filled(labels: Mapping[str, str]) -> Mapping[str, str]:
    """Leave out labels with an empty value, which are as good as none."""
    if all(labels.values()):
        return labels
    return {name: value for name, value in labels.items() if value}


def _problem(word: Word) -> str:
    """Return what Alertmanager says of a wrong alert, or of one beyond our limits."""
    if word.ends_at < word.starts_at:
        return "start time must be before end time"
    if not word.labels:
        return "at least one label pair required"
    if _is_small(word):
        return ""
    for what, pairs in (("label set", word.labels), ("annotations", word.annotations)):
        problem = _pairs_problem(what, pairs)
        if problem:
            return problem
    size = _size_bytes(word)
    if size > MAX_ALERT_BYTES:
        return f"alert exceeded maximum size: {size} bytes (limit: {MAX_ALERT_BYTES} bytes)"
    return ""


def _is_small(word: Word) -> bool:
    """Whether every name and text is far from each limit, as nearly all are: told at a glance."""
    names = (*word.labels, *word.annotations)
    if len(names) > MAX_LABELS or not all(names):
        return False
    if max(map(len, names)) * _MOST_BYTES > MAX_NAME_BYTES:
        return False
    text = "".join((*names, *word.labels.values(), *word.annotations.values(), word.generator_url))
    return len(text) * _MOST_BYTES <= MAX_ALERT_BYTES and "\0" not in text


def _pairs_problem(what: str, pairs: Mapping[str, str]) -> str:
    for name, value in pairs.items():
        if not name or "\0" in name or len(name.encode()) > MAX_NAME_BYTES:
            return f'invalid {what}: invalid name "{name[:MAX_NAME_BYTES]}"'
        if "\0" in value:
            return f'invalid {what}: invalid value "{value[:MAX_NAME_BYTES]}"'
    return f"invalid {what}: more than {MAX_LABELS} pairs" if len(pairs) > MAX_LABELS else ""


def _size_bytes(word: Word) -> int:
    texts = (
        text for pairs in (word.labels, word.annotations) for pair in pairs.items() for text in pair
    )
    return sum(len(text.encode()) for text in texts) + len(word.generator_url)
