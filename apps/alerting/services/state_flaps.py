"""Whether an alert flaps: how much it changed over its last 21 evaluations.

Semantics of Sensu (and Nagios before it): each change between firing and not firing weighs 0.8
at the far end of the window to 1.2 at its near end; their sum over the 20 possible ones is the
percentage. Flapping begins at the high threshold and ends at the low one.
"""

from collections.abc import Iterable
from dataclasses import replace

from apps.alerting.services.state_values import FlapTerms, Instance

WINDOW_EVALUATIONS = 21
_CHANGES = WINDOW_EVALUATIONS - 1
_FAR, _NEAR = 0.8, 1.2


def flap_percent(flips: Iterable[int], *, interval_ms: int, at_ms: int) -> float:
    """Return how much an alert changed: ``flips`` are the times it did, in Unix milliseconds."""
    slope = (_NEAR - _FAR) / _CHANGES
    weights = (
        _NEAR - slope * age
        for age in ((at_ms - flip) / interval_ms for flip in flips)
        if 0 <= age < _CHANGES
    )
    return sum(weights) / _CHANGES * 100


def flapped(
    terms: FlapTerms | None,
    before: Instance | None,
    after: Instance,
    *,
    interval_ms: int,
    at_ms: int,
) -> Instance:
    """Return an alert after an evaluation with what is known of its changes."""
    if terms is None:
        return replace(after, flips=(), is_flapping=False) if _has_story(after) else after
    was_firing = before is not None and before.is_firing
    flips = after.flips
    if was_firing is not after.is_firing:
        flips = (*(one for one in flips if _is_recent(one, interval_ms, at_ms)), at_ms)
    if not flips:
        return after
    percent = flap_percent(flips, interval_ms=interval_ms, at_ms=at_ms)
    limit = terms.low if after.is_flapping else terms.high
    is_flapping = percent > limit if after.is_flapping else percent >= limit
    if flips == after.flips and is_flapping is after.is_flapping:
        return after
    return replace(after, flips=flips, is_flapping=is_flapping)


def is_remembered(
    terms: FlapTerms | None, instance: Instance, *, interval_ms: int, at_ms: int
) -> bool:
    """Tell whether an alert that is over may still be found to flap, and so is kept."""
    if terms is None or not instance.flips:
        return False
    return instance.is_flapping or _is_recent(instance.flips[-1], interval_ms, at_ms)


def _is_recent(flip_ms: int, interval_ms: int, at_ms: int) -> bool:
    return at_ms - flip_ms < _CHANGES * interval_ms


def _has_story(instance: Instance) -> bool:
    return bool(instance.flips) or instance.is_flapping
