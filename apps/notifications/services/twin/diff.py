"""Two replays compared: who is told more, less, at other times, of other alerts, or not at all."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from apps.notifications.enums import SuppressionKind
from apps.notifications.services.causes import Cause
from apps.notifications.services.twin.values import Firing, Listener, Outcome, Told

NIGHT_BEGINS, NIGHT_ENDS = 22, 7  # o'clock
_NEAR = timedelta(hours=6)  # farther apart, two notifications are two


class Difference(StrEnum):
    """What became of a notification."""

    ADDED = "added"
    REMOVED = "removed"
    MOVED = "moved"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One difference; ``before`` is None for an added notification, ``after`` for a removed."""

    difference: Difference
    before: Told | None
    after: Told | None

    @property
    def at(self) -> datetime:
        """Return when it is, the earlier of both."""
        return min(told.at for told in (self.before, self.after) if told is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """One receiver in numbers."""

    before: int
    after: int
    night_before: int
    night_after: int
    by_difference: Mapping[Difference, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """A firing one contact point is told of now and would not be any more, and why.

    ``is_untold`` when nobody at all would be told of it.
    """

    firing: Firing
    contact_point: str
    causes: Sequence[Cause]
    is_untold: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What a proposal changes."""

    rows: Sequence[Row]
    counts: Mapping[Listener, Counts]
    lost: Sequence[Lost]
    gained: Sequence[Lost]


def outcomes_compare(present: Outcome, proposed: Outcome, *, location: str = "UTC") -> Comparison:
    """Compare two replays of the same alerts; nights are those of ``location``."""
    before, after = _by_listener(present), _by_listener(proposed)
    rows: list[Row] = []
    counts: dict[Listener, Counts] = {}
    zone = ZoneInfo(location)
    for listener in sorted(before.keys() | after.keys()):
        own = list(_rows(before[listener], after[listener]))
        rows += own
        counts[listener] = Counts(
            before=len(before[listener]),
            after=len(after[listener]),
            night_before=_nights(before[listener], zone),
            night_after=_nights(after[listener], zone),
            by_difference={each: sum(row.difference is each for row in own) for each in Difference},
        )
    rows.sort(key=lambda row: row.at)
    return Comparison(
        rows=rows,
        counts=counts,
        lost=list(_lost(present, proposed)),
        gained=list(_lost(proposed, present)),
    )


def _by_listener(outcome: Outcome) -> dict[Listener, list[Told]]:
    found: dict[Listener, list[Told]] = defaultdict(list)
    for told in outcome.told:
        found[told.listener].append(told)
    return found


def _rows(before: Sequence[Told], after: Sequence[Told]) -> Iterator[Row]:
    """Pair what is the same, then the same at another time, then others at the same time."""
    left, right = _unpaired(before, after, lambda told: (told.at, told.firing, told.resolved))[:2]
    left, right, moved = _unpaired(left, right, lambda told: (told.firing, told.resolved))
    yield from (Row(difference=Difference.MOVED, before=one, after=other) for one, other in moved)
    left, right, changed = _unpaired(left, right, lambda told: told.at)
    near = _overlapping(left, right)
    changed += near
    yield from (
        Row(difference=Difference.CHANGED, before=one, after=other) for one, other in changed
    )
    paired = {id(told) for pair in near for told in pair}
    for one in left:
        if id(one) not in paired:
            yield Row(difference=Difference.REMOVED, before=one, after=None)
    for one in right:
        if id(one) not in paired:
            yield Row(difference=Difference.ADDED, before=None, after=one)


_Pairs = list[tuple[Told, Told]]


def _unpaired(
    before: Sequence[Told], after: Sequence[Told], key: Callable[[Told], object]
) -> tuple[list[Told], list[Told], _Pairs]:
    waiting: dict[object, list[Told]] = defaultdict(list)
    for told in reversed(after):
        waiting[key(told)].append(told)
    pairs: _Pairs = []
    left: list[Told] = []
    for told in before:
        others = waiting[key(told)]
        if others:
            pairs.append((told, others.pop()))
        else:
            left.append(told)
    taken = {id(other) for _, other in pairs}
    return left, [told for told in after if id(told) not in taken], pairs


def _overlapping(before: Sequence[Told], after: Sequence[Told]) -> _Pairs:
    """Pair notifications near each other that share an alert."""
    pairs: _Pairs = []
    free = list(after)
    for told in before:
        for other in free:
            shares = told.firing & other.firing or told.resolved & other.resolved
            if shares and abs(told.at - other.at) <= _NEAR:
                pairs.append((told, other))
                free.remove(other)
                break
    return pairs


def _nights(told: Sequence[Told], zone: ZoneInfo) -> int:
    hours = (one.at.astimezone(zone).hour for one in told if one.firing)
    return sum(hour >= NIGHT_BEGINS or hour < NIGHT_ENDS for hour in hours)


def _heard(outcome: Outcome) -> dict[tuple[str, datetime], set[str]]:
    """Return which contact points are told of each firing."""
    found: dict[tuple[str, datetime], set[str]] = defaultdict(set)
    for told in outcome.told:
        for fingerprint in told.firing:
            found[(fingerprint, told.starts[fingerprint])].add(told.listener[0])
    return found


def _lost(before: Outcome, after: Outcome) -> Iterator[Lost]:
    heard, hears = _heard(before), _heard(after)
    for key in sorted(heard, key=lambda one: (one[1], one[0])):
        for point in sorted(heard[key] - hears[key]):
            yield Lost(
                firing=before.firings[key],
                contact_point=point,
                causes=_why(after, key, point),
                is_untold=not hears[key],
            )


def _why(outcome: Outcome, key: tuple[str, datetime], point: str) -> Sequence[Cause]:
    if held := outcome.held.get((*key, point)):
        return held
    routed = outcome.routed.get(key, set())
    if point in routed:
        words = "it is over before its group is told, or part of what is told later"
        return [Cause(kind=SuppressionKind.GROUPING, detail=words)]
    others = ", ".join(sorted(name for name in routed if name)) or "nobody"
    causes = [Cause(kind=SuppressionKind.NO_ROUTE, detail=f"it is routed to {others}")]
    elsewhere = [outcome.held.get((*key, name), ()) for name in sorted(routed)]
    return causes + [cause for chain in elsewhere for cause in chain]
