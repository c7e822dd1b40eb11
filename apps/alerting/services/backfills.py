"""Backfill: recording rules run over the past, their series written where they are missing.

Times, labels, order and stale markers are those the evaluation would have written. What is
stored already stays as it is, so running it again changes nothing. How old a sample may be is
the store's decision: a series without newer samples takes any that retention keeps; one that has
them takes what its org's out-of-order window allows, and the rest is reported as refused.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from apps.alerting.enums import RuleKind
from apps.alerting.services.condition_specs import NO_PAST
from apps.alerting.services.plans import GroupPlan, RulePlan
from apps.alerting.services.queries import RuleQuerier, rule_querier
from apps.alerting.services.recording import Key, family_of, recording_step
from apps.alerting.services.replays import SLICE_STEPS, Replay
from apps.series.selectors import Tenant
from apps.series.services import series_store
from detectviz.clock import from_ms, to_ms
from detectviz.contracts.types import JsonObject
from detectviz.events.bus import publish
from detectviz.events.types import SecurityEventOccurred
from detectviz.resources.errors import InvalidFieldsError
from detectviz.tsdb.interface import METRIC_NAME, STALE_NAN, Matcher, MatchOp, Sample

MOST_SLOTS = 500_000
_MOST_PENDING = 20_000

Progress = Callable[[int, int], None]  # slots done, slots in all


@dataclass(slots=True, kw_only=True)
class Backfill:
    """What a backfill did; samples are counted.

    ``refused`` gives reasons of the store, ``errors`` the first error of each rule by its name.
    ``continued_at`` is where to start again when the time was up, None when all is done.
    """

    start: datetime
    end: datetime
    slots: int
    stored: int = 0
    present: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    errors: dict[str, str] = field(default_factory=dict)
    continued_at: datetime | None = None


def rules_backfill(
    *,
    tenant: Tenant,
    group: GroupPlan,
    start: datetime,
    end: datetime,
    slot_offset_ms: int = 0,
    timeout_s: float = 86_400.0,
    progress: Progress | None = None,
) -> Backfill:
    """Run the recording rules of a group from ``start`` to ``end`` (inclusive), in order.

    Works in slices of 500 slots; after each, ``progress`` is told and the time is looked at.
    Raise InvalidFieldsError when there is nothing to do or too much, StoreError when the store
    fails; what was written until then stays.
    """
    rules = [rule for rule in group.rules if rule.kind is RuleKind.RECORDING]
    if not rules:
        raise InvalidFieldsError({"rules": ["There is no recording rule to run."]})
    asking = [rule.name for rule in rules if rule.queries]
    if asking:
        raise InvalidFieldsError({"rules": [f"{', '.join(asking)}: {NO_PAST}"]})
    step_ms = group.interval_ms
    first_ms = -(-(to_ms(start) - slot_offset_ms) // step_ms) * step_ms + slot_offset_ms
    slots = max(0, (to_ms(end) - first_ms) // step_ms + 1)
    if not slots:
        raise InvalidFieldsError({"start": ["There is no slot between start and end."]})
    if slots > MOST_SLOTS:
        message = f"At most {MOST_SLOTS:,} evaluations, these are {slots:,}; do it in parts."
        raise InvalidFieldsError({"start": [message]})
    last_ms = first_ms + (slots - 1) * step_ms
    found = Backfill(start=from_ms(first_ms), end=from_ms(last_ms), slots=slots)
    querier = rule_querier(series_store(), tenant.uid)
    replay = Replay(querier=querier, timeout_s=timeout_s)
    filling = [_Filling(rule=rule, group=group, querier=querier, found=found) for rule in rules]
    for begin_ms in range(first_ms, last_ms + 1, SLICE_STEPS * step_ms):
        until_ms = min(last_ms, begin_ms + (SLICE_STEPS - 1) * step_ms)
        try:
            for one in filling:
                one.fill(replay, begin_ms, until_ms)
        except InvalidFieldsError:  # the time is up; a slice done in part can be done again
            found.continued_at = from_ms(begin_ms)
            return found
        if progress is not None:
            progress((until_ms - first_ms) // step_ms + 1, slots)
    return found


@dataclass(slots=True, kw_only=True)
class _Filling:
    """One rule on its way through the past."""

    rule: RulePlan
    group: GroupPlan
    querier: RuleQuerier
    found: Backfill
    before: Mapping[Key, Mapping[str, str]] = field(default_factory=dict)

    def fill(self, replay: Replay, begin_ms: int, until_ms: int) -> None:
        """Write one slice of time (of slots) where it is missing."""
        offset_ms = self.group.query_offset_ms
        start_ms, end_ms = begin_ms - offset_ms, until_ms - offset_ms
        known = self._known(start_ms, end_ms)
        pending: list[Sample] = []
        for sample in self._samples(replay, start_ms, end_ms):
            if (frozenset(sample.labels.items()), sample.timestamp_ms) in known:
                self.found.present += 1
                continue
            pending.append(sample)
            if len(pending) >= _MOST_PENDING:
                self._write(pending)
                pending = []
        self._write(pending)

    def _samples(self, replay: Replay, start_ms: int, end_ms: int) -> Iterator[Sample]:
        step_ms = self.group.interval_ms
        answers = replay.answers(self.rule.expr, start_ms=start_ms, end_ms=end_ms, step_ms=step_ms)
        for at_ms, answered in answers:
            if isinstance(answered, Exception):
                self.found.errors.setdefault(self.rule.name, str(answered))
                continue
            step = recording_step(self.rule, answered, limit=self.group.limit, written_ms=at_ms)
            if step.error:
                self.found.errors.setdefault(self.rule.name, step.error)
                continue
            written = {frozenset(one.labels.items()): one.labels for one in step.samples}
            yield from step.samples
            if self._is_alone():
                ended = self.before.keys() - written.keys()
                yield from (Sample(self.before[key], at_ms, STALE_NAN) for key in ended)
            self.before = written

    def _is_alone(self) -> bool:
        """Tell whether no other rule writes this rule's series: only then does it know the end."""
        family = family_of(self.rule)
        same = [
            one
            for one in self.group.rules
            if one.kind is RuleKind.RECORDING and family_of(one) == family
        ]
        return len(same) == 1

    def _known(self, start_ms: int, end_ms: int) -> set[tuple[Key, int]]:
        """Return which samples of the rule's series are stored."""
        matchers = [Matcher(METRIC_NAME, MatchOp.EQUAL, self.rule.name)]
        matchers += [Matcher(name, MatchOp.EQUAL, text) for name, text in self.rule.labels.items()]
        found = self.querier.store.select(self.querier.tenant, matchers, start_ms, end_ms)
        times, offsets = found.timestamps_ms.tolist(), found.offsets.tolist()
        return {
            (frozenset(labels.items()), at_ms)
            for row, labels in enumerate(found.labels)
            for at_ms in times[offsets[row] : offsets[row + 1]]
        }

    def _write(self, samples: Sequence[Sample]) -> None:
        if not samples:
            return
        report = self.querier.store.append(self.querier.tenant, samples)
        self.found.stored += report.stored
        self.found.refused.update(one.reason for one in report.rejected)


def backfill_record(*, org_id: int, name: str, actor_id: int | None, found: Backfill) -> None:
    """Tell audit that somebody wrote a group's series into the past."""
    publish(
        SecurityEventOccurred(
            action="rulegroup.backfill",
            org_id=org_id,
            actor_id=actor_id,
            kind="RuleGroup",
            name=name,
            details=backfill_json(found),
        )
    )


def backfill_json(found: Backfill) -> JsonObject:
    """Return a backfill for an answer."""
    continued = found.continued_at
    return {
        "start": found.start.isoformat(),
        "end": found.end.isoformat(),
        "evaluations": found.slots,
        "stored": found.stored,
        "present": found.present,
        "refused": dict(found.refused),
        "errors": found.errors,
        "continued_at": continued.isoformat() if continued else None,
    }
