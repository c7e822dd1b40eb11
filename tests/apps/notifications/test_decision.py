"""The send-decision table."""

from datetime import UTC, datetime, timedelta

import pytest

from apps.notifications.services.decision import LastSent, Reason, decide

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def last(firing: str = "", resolved: str = "", ago_s: float = 60) -> LastSent:
    return LastSent(
        firing=set(firing), resolved=set(resolved), sent_at=NOW - timedelta(seconds=ago_s)
    )


@pytest.mark.parametrize(
    ("firing", "resolved", "before", "sends_resolved", "expected"),
    [
        ("a", "", None, True, Reason.FIRST),
        ("", "a", None, True, Reason.NOTHING_FIRING),
        ("ab", "", last("a"), True, Reason.NEW_FIRING),
        ("b", "a", last("a"), False, Reason.NEW_FIRING),
        ("a", "", last("a"), True, Reason.UNCHANGED),
        ("a", "b", last("ab"), True, Reason.NEW_RESOLVED),
        ("a", "b", last("ab"), False, Reason.UNCHANGED),
        ("a", "b", last("ab", "b"), True, Reason.UNCHANGED),
        ("", "a", last("a"), True, Reason.ALL_RESOLVED),
        ("", "a", last("a"), False, Reason.ALL_RESOLVED),
        ("", "a", last("", "a"), True, Reason.NOTHING_FIRING),
        ("a", "", last("a", ago_s=3601), True, Reason.REPEAT),
        ("a", "", last("a", ago_s=3600), True, Reason.UNCHANGED),
        ("a", "", last("", "a"), True, Reason.NEW_FIRING),
    ],
)
def test_each_row_of_the_table(
    firing: str, resolved: str, before: LastSent | None, sends_resolved: bool, expected: Reason
) -> None:
    assert (
        decide(
            firing=set(firing),
            resolved=set(resolved),
            last=before,
            sends_resolved=sends_resolved,
            repeat_interval=timedelta(hours=1),
            now=NOW,
        )
        is expected
    )
