"""The state machine, as a table and as walks."""

from datetime import UTC, datetime, timedelta

import pytest

from apps.monitors.services.states import Policy, Standing, next_step, result_judge
from detectviz.contracts.collector import CheckResult
from detectviz.contracts.types import CheckState

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
NEVER_CHECKED = Standing(state=CheckState.UNKNOWN, since=START)


def result(state: str, duration_s: float | None = 0.1) -> CheckResult:
    return CheckResult(state=CheckState(state), message="said so", duration_s=duration_s)


def walk(states: str, policy: Policy, standing: Standing = NEVER_CHECKED) -> str:
    """Return where the monitor stands after each letter: a ? marks retrying, ! a transition."""
    names = {"u": "up", "g": "degraded", "d": "down", "?": "unknown"}
    letters = {CheckState(name): letter for letter, name in names.items()} | {
        CheckState.UNKNOWN: "n"
    }
    seen = []
    for index, letter in enumerate(states):
        at = START + timedelta(seconds=index + 1)
        step = next_step(standing, result(names[letter]), policy, at=at)
        standing = step.standing
        mark = "!" if step.transition else "~" if standing.is_retrying else ""
        seen.append(letters[standing.state] + mark)
    return " ".join(seen)


@pytest.mark.parametrize(
    ("states", "policy", "expected"),
    [
        ("u", Policy(), "u!"),
        ("uu", Policy(), "u! u"),
        ("d", Policy(), "d!"),
        ("ud", Policy(), "u! d!"),
        ("udu", Policy(), "u! d! u!"),
        ("d", Policy(retries=2), "n~"),
        ("ddd", Policy(retries=2), "n~ n~ d!"),
        ("uddd", Policy(retries=2), "u! u~ u~ d!"),
        ("uddudd", Policy(retries=2), "u! u~ u~ u u~ u~"),
        ("udddd", Policy(retries=2), "u! u~ u~ d! d"),
        ("ug", Policy(retries=2), "u! g!"),
        ("ugddd", Policy(retries=2), "u! g! g~ g~ d!"),
        ("udgdd", Policy(retries=1), "u! u~ g! g~ d!"),
        ("u?", Policy(retries=2), "u! n!"),
        ("u?u", Policy(retries=2), "u! n! u!"),
        ("ud?d", Policy(retries=1), "u! u~ n! d!"),
        ("d?d", Policy(), "d! n! d!"),
        ("d", Policy(is_inverted=True), "u!"),
        ("ud", Policy(is_inverted=True), "d! u!"),
        ("uu", Policy(is_inverted=True, retries=1), "n~ d!"),
        ("g?", Policy(is_inverted=True), "g! n!"),
    ],
)
def test_a_walk_ends_where_the_policy_says(states: str, policy: Policy, expected: str) -> None:
    assert walk(states, policy) == expected


@pytest.mark.parametrize(
    ("state", "duration_s", "expected"),
    [
        ("up", 0.5, "up"),
        ("up", 1.0, "up"),
        ("up", 1.5, "degraded"),
        ("up", 2.5, "down"),
        ("degraded", 1.5, "degraded"),
        ("degraded", 2.5, "down"),
        ("down", 0.1, "down"),
        ("unknown", 9.0, "unknown"),
        ("up", None, "up"),
    ],
)
def test_latency_limits_only_make_an_answer_worse(
    state: str, duration_s: float | None, expected: str
) -> None:
    policy = Policy(degraded_above_s=1.0, down_above_s=2.0)
    judged, _ = result_judge(result(state, duration_s), policy)
    assert judged is CheckState(expected)


def test_the_message_says_which_limit_was_exceeded() -> None:
    _, message = result_judge(result("up", 1.5), Policy(degraded_above_s=1.0))
    assert message == "Took 1.5 s, more than 1 s. said so"


def test_latency_limits_do_not_count_for_inverted_monitors() -> None:
    policy = Policy(is_inverted=True, degraded_above_s=0.01)
    assert result_judge(result("up", 1.0), policy) == (CheckState.DOWN, "Inverted: said so")


def test_since_changes_with_the_state_only() -> None:
    first = next_step(NEVER_CHECKED, result("up"), Policy(), at=START + timedelta(seconds=1))
    second = next_step(first.standing, result("up"), Policy(), at=START + timedelta(seconds=2))
    third = next_step(second.standing, result("down"), Policy(), at=START + timedelta(seconds=3))
    assert [step.standing.since for step in (first, second, third)] == [
        START + timedelta(seconds=seconds) for seconds in (1, 1, 3)
    ]


def test_maintenance_flags_the_transition_and_changes_no_state() -> None:
    step = next_step(NEVER_CHECKED, result("down"), Policy(is_in_maintenance=True), at=START)
    assert step.standing.state is CheckState.DOWN
    assert step.transition is not None
    assert step.transition.is_in_maintenance
