"""What recording rules write: series with the rule's name and labels, and stale markers.

Rules of one group with the same name and labels write one family of series together: what the
family wrote last time and does not write now has ended, unless one of its rules failed.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from apps.alerting.enums import RuleKind
from apps.alerting.services.plans import GroupPlan, RulePlan
from apps.alerting.services.queries import RuleElement, RuleQuerier, rule_querier
from apps.alerting.services.state_values import Step
from detectviz.tsdb.interface import METRIC_NAME, STALE_NAN, Sample, SeriesStore

DUPLICATE_SERIES = "vector contains metrics with the same labelset after applying rule labels"

Family: TypeAlias = tuple[str, frozenset[tuple[str, str]]]
Key: TypeAlias = frozenset[tuple[str, str]]


def family_of(rule: RulePlan) -> Family:
    """Return what the rules of a family share."""
    return rule.name, frozenset(rule.labels.items())


def recorded_labels(rule: RulePlan, sample_labels: Mapping[str, str]) -> dict[str, str]:
    """Return an element's labels under the rule's name; an empty label of the rule removes."""
    labels = {**sample_labels, METRIC_NAME: rule.name, **rule.labels}
    return {name: text for name, text in labels.items() if text}


def recording_step(
    rule: RulePlan, vector: Sequence[RuleElement], *, limit: int, written_ms: int
) -> Step:
    """Return what a recording rule writes of its answer, or why it writes nothing."""
    samples = [
        Sample(recorded_labels(rule, labels), written_ms, value, histogram)
        for labels, value, histogram in vector
    ]
    if len({_key(sample.labels) for sample in samples}) != len(samples):
        return Step(instances=(), error=DUPLICATE_SERIES)
    if 0 < limit < len(samples):
        message = f"exceeded limit of {limit} with {len(samples)} series"
        return Step(instances=(), error=message)
    return Step(instances=(), samples=tuple(samples))


@dataclass(slots=True)
class Recordings:
    """Follows the families of a group through one evaluation."""

    group: GroupPlan
    at_ms: int
    _open: dict[Family, int] = field(default_factory=dict)
    _written: dict[Family, set[Key]] = field(default_factory=lambda: defaultdict(set))
    _failed: set[Family] = field(default_factory=set)

    def __post_init__(self) -> None:
        for rule in self.group.rules:
            if rule.kind is RuleKind.RECORDING:
                self._open[family_of(rule)] = self._open.get(family_of(rule), 0) + 1

    def note(self, rule: RulePlan, step: Step) -> None:
        """Take in what one recording rule came to."""
        family = family_of(rule)
        self._open[family] -= 1
        if step.error is not None:
            self._failed.add(family)
        self._written[family].update(_key(sample.labels) for sample in step.samples)

    def ended(self, rules: Iterable[RulePlan], querier: RuleQuerier) -> list[Sample]:
        """Return stale markers for the families that are complete with these rules.

        What they wrote is read back from the store, so that nothing has to be remembered.
        """
        complete: dict[int, dict[Family, None]] = defaultdict(dict)
        for rule in rules:
            family = family_of(rule)
            before_ms = self.group.previous_at_ms_of(rule)
            if before_ms is None or self._open[family] or family in self._failed:
                continue
            complete[before_ms - self.group.query_offset_ms][family] = None
        written_ms = self.at_ms - self.group.query_offset_ms
        return [
            Sample(labels, written_ms, STALE_NAN)
            for before_ms, families in complete.items()
            for labels in self._unwritten(querier, list(families), before_ms)
        ]

    def _unwritten(
        self, querier: RuleQuerier, families: Sequence[Family], before_ms: int
    ) -> Iterable[Mapping[str, str]]:
        found = querier.series_at({name for name, _ in families}, before_ms)
        known = [family_of(one) for one in self.group.rules if one.kind is RuleKind.RECORDING]
        by_name: dict[str, list[Family]] = defaultdict(list)
        for family in dict.fromkeys(known):
            by_name[family[0]].append(family)
        chosen = set(families)
        for labels in found:
            owner = owner_of(labels, by_name[labels[METRIC_NAME]])
            if owner in chosen and _key(labels) not in self._written[owner]:
                yield labels


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingsEnd:
    """Families of a group that ended, those that go on, and when the group last wrote."""

    tenant: str
    ended: frozenset[Family]
    going_on: frozenset[Family]
    written_ms: int
    at_ms: int


def recordings_end(store: SeriesStore, what: RecordingsEnd) -> None:
    """Mark the series of families that ended stale, as Prometheus does with rules removed."""
    gone = what.ended - what.going_on
    if not gone or what.at_ms <= what.written_ms:
        return
    querier = rule_querier(store, what.tenant)
    found = querier.series_at({name for name, _ in gone}, what.written_ms)
    samples = [
        Sample(labels, what.at_ms, STALE_NAN)
        for labels in found
        if owner_of(labels, _named(what.ended | what.going_on, labels)) in gone
    ]
    if samples:
        store.append(what.tenant, samples)


def _named(families: Iterable[Family], labels: Mapping[str, str]) -> list[Family]:
    return [family for family in families if family[0] == labels[METRIC_NAME]]


def owner_of(labels: Mapping[str, str], families: Iterable[Family]) -> Family | None:
    """Return the family a series belongs to: of those whose labels it has, the closest."""
    fitting = [
        family
        for family in families
        if all(labels.get(name, "") == text for name, text in family[1])
    ]
    return max(fitting, key=lambda family: len(family[1]), default=None)


def _key(labels: Mapping[str, str]) -> Key:
    return frozenset(labels.items())
