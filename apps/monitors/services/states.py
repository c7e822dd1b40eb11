"""The state machine of monitors: a pure function of what was, what a check found and the policy.

In order: **invert** swaps up and down (degraded and unknown stay); otherwise **latency** turns an
up into degraded, and an up or degraded into down, when the check took longer than allowed.
**Retries**: a down is believed when it is the ``retries + 1``-th in a row; until then the monitor
keeps its state and is *retrying*, and its next check comes after ``retry_interval_s``. Up,
degraded and unknown are believed at once. **Unknown** (nothing can be said about the target) is a
state of its own with its own ``since``; it neither counts as a failure nor forgets those counted.
A monitor never checked is unknown since it was made. **Maintenance** changes no state: the
transition carries a flag and others decide whom to tell.
"""

from dataclasses import dataclass
from datetime import datetime

from detectviz.contracts.collector import CheckResult
from detectviz.contracts.types import CheckState

_INVERTED = {CheckState.UP: CheckState.DOWN, CheckState.DOWN: CheckState.UP}
_ANSWERED = (CheckState.UP, CheckState.DEGRADED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How a monitor's owner wants results judged."""

    retries: int = 0
    retry_interval_s: float = 60.0
    is_inverted: bool = False
    is_in_maintenance: bool = False
    degraded_above_s: float | None = None
    down_above_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a monitor stands."""

    state: CheckState
    since: datetime
    consecutive_failures: int = 0
    is_retrying: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """A change of state, for the history and for events."""

    previous: CheckState
    state: CheckState
    at: datetime
    is_in_maintenance: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one result did. ``observed`` is the judgement of this check alone."""

    standing: Standing
    observed: CheckState
    message: str
    transition: Transition | None = None


def next_step(previous: Standing, result: CheckResult, policy: Policy, *, at: datetime) -> Step:
    """Return where the monitor stands after ``result``, finished at ``at``."""
    observed, message = result_judge(result, policy)
    standing = _advance(previous, observed, policy, at)
    transition = None
    if standing.state is not previous.state:
        transition = Transition(
            previous=previous.state,
            state=standing.state,
            at=at,
            is_in_maintenance=policy.is_in_maintenance,
        )
    return Step(standing=standing, observed=observed, message=message, transition=transition)


def result_judge(result: CheckResult, policy: Policy) -> tuple[CheckState, str]:
    """Return the state and message of one result under ``policy``, retries not considered."""
    if policy.is_inverted:
        state = _INVERTED.get(result.state, result.state)
        is_swapped = state is not result.state
        return state, f"Inverted: {result.message}" if is_swapped else result.message
    duration_s = result.duration_s
    if result.state not in _ANSWERED or duration_s is None:
        return result.state, result.message
    if policy.down_above_s is not None and duration_s > policy.down_above_s:
        return CheckState.DOWN, _too_slow(duration_s, policy.down_above_s, result.message)
    if policy.degraded_above_s is not None and duration_s > policy.degraded_above_s:
        return CheckState.DEGRADED, _too_slow(duration_s, policy.degraded_above_s, result.message)
    return result.state, result.message


def _advance(previous: Standing, observed: CheckState, policy: Policy, at: datetime) -> Standing:
    failures = _count_failures(previous.consecutive_failures, observed)
    is_retrying = (
        observed is CheckState.DOWN
        and previous.state is not CheckState.DOWN
        and failures <= policy.retries
    )
    state = previous.state if is_retrying else observed
    is_same = state is previous.state and is_retrying is previous.is_retrying
    if is_same and failures == previous.consecutive_failures:
        return previous
    return Standing(
        state=state,
        since=previous.since if state is previous.state else at,
        consecutive_failures=failures,
        is_retrying=is_retrying,
    )


def _count_failures(before: int, observed: CheckState) -> int:
    if observed is CheckState.DOWN:
        return before + 1
    return before if observed is CheckState.UNKNOWN else 0


def _too_slow(duration_s: float, limit_s: float, message: str) -> str:
    return f"Took {_length(duration_s)}, more than {_length(limit_s)}. {message}".rstrip()


def _length(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds >= 1 else f"{seconds * 1000:.3g} ms"
