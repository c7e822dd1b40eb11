"""Alertmanager's inhibition (inhibit/inhibit.go), with an index instead of every pair."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import models

from apps.notifications.models import InhibitionRule
from apps.notifications.services.matchers import (
    LabelMatcher,
    MatcherError,
    all_match,
    canonical,
    parse_matcher,
)
from detectviz.resources.errors import InvalidFieldsError

Labelled = tuple[str, Mapping[str, str]]  # fingerprint, labels


@dataclass(frozen=True, slots=True, kw_only=True)
class Inhibition:
    """An inhibition rule, read."""

    name: str
    source: Sequence[LabelMatcher]
    target: Sequence[LabelMatcher]
    equal: Sequence[str] = ()

    def key(self, labels: Mapping[str, str]) -> tuple[str, ...]:
        """Return the values that have to be equal; a missing label equals an empty one."""
        return tuple(labels.get(name, "") for name in self.equal)


@dataclass(slots=True)
class _Sources:
    """The firing sources of one rule by their equal labels."""

    any_by_key: dict[tuple[str, ...], Labelled] = field(default_factory=dict)
    one_sided_by_key: dict[tuple[str, ...], Labelled] = field(default_factory=dict)


class Inhibitor:
    """Says which firing alert, if any, mutes another.

    ``firing`` are all firing alerts of the org. A rule's sources are gathered when the first
    alert matches its target; then an alert costs one look-up for each rule.
    """

    def __init__(self, rules: Iterable[Inhibition], firing: Sequence[Labelled]) -> None:
        self._rules = list(rules)
        self._firing = firing
        self._sources: dict[int, _Sources] = {}

    def inhibitors(self, labels: Mapping[str, str]) -> list[tuple[Inhibition, Labelled]]:
        """Return, for each rule that mutes an alert with these labels, a source that does it."""
        found: list[tuple[Inhibition, Labelled]] = []
        for place, rule in enumerate(self._rules):
            if not all_match(rule.target, labels):
                continue
            sources = self._sources_of(place, rule)
            # One that is a source too is not inhibited by others that are both as well.
            is_both = all_match(rule.source, labels)
            by_key = sources.one_sided_by_key if is_both else sources.any_by_key
            source = by_key.get(rule.key(labels))
            if source is not None:
                found.append((rule, source))
        return found

    def _sources_of(self, place: int, rule: Inhibition) -> _Sources:
        known = self._sources.get(place)
        if known is None:
            known = self._sources[place] = _Sources()
            for one in self._firing:
                labels = one[1]
                if all_match(rule.source, labels):
                    key = rule.key(labels)
                    known.any_by_key.setdefault(key, one)
                    if not all_match(rule.target, labels):
                        known.one_sided_by_key.setdefault(key, one)
        return known


def inhibition_of(row: InhibitionRule) -> Inhibition:
    """Return a stored rule, read."""
    spec = {
        "source_matchers": row.source_matchers,
        "target_matchers": row.target_matchers,
        "equal": row.equal,
    }
    return inhibition_read(name=row.name, spec=spec)


def inhibition_read(*, name: str, spec: Mapping[str, Any]) -> Inhibition:
    """Return the rule of a validated spec; raise MatcherError."""
    return Inhibition(
        name=name,
        source=[parse_matcher(text) for text in spec["source_matchers"]],
        target=[parse_matcher(text) for text in spec["target_matchers"]],
        equal=spec["equal"],
    )


def inhibition_rule_write(
    *, org: models.Model, name: str, spec: Mapping[str, Any], instance: InhibitionRule | None
) -> InhibitionRule:
    """Create or update a rule from its spec; raise InvalidFieldsError."""
    row = instance or InhibitionRule(org_id=org.pk, name=name)
    errors: dict[str, list[str]] = {}
    for side in ("source_matchers", "target_matchers"):
        try:
            setattr(row, side, canonical(spec[side]))
        except MatcherError as error:
            errors[f"spec.{side}"] = [str(error)]
    if errors:
        raise InvalidFieldsError(errors)
    row.title, row.equal = spec["title"], list(spec["equal"])
    row.is_enabled = spec["enabled"]
    row.save()
    return row
