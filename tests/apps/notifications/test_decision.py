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


def test_what_somebody_took_is_not_repeated_but_its_end_and_what_is_new_are_told() -> None:
    last = LastSent(firing={"a", "b"}, resolved=set(), sent_at=NOW)
    day = timedelta(days=1)

    def decided(firing: set[str], resolved: set[str], quiet: set[str]) -> Reason:
        return decide(
            firing=firing,
            resolved=resolved,
            last=last,
            sends_resolved=True,
            repeat_interval=timedelta(hours=4),
            now=NOW + day,
            quiet=quiet,
        )

    assert decided({"a", "b"}, set(), {"a", "b"}) is Reason.UNCHANGED
    assert decided({"a", "b"}, set(), {"a"}) is Reason.REPEAT
    assert decided({"a", "b", "c"}, set(), {"a", "b"}) is Reason.NEW_FIRING
    assert decided({"a"}, {"b"}, {"a"}) is Reason.NEW_RESOLVED
    assert decided(set(), {"a", "b"}, set()) is Reason.ALL_RESOLVED


def test_the_end_of_a_snooze_tells_again_what_still_fires_once() -> None:
    woken_at = NOW + timedelta(hours=1)

    def decided(sent_at: datetime, now: datetime) -> Reason:
        return decide(
            firing={"a"},
            resolved=set(),
            last=LastSent(firing={"a"}, resolved=set(), sent_at=sent_at),
            sends_resolved=True,
            repeat_interval=timedelta(days=7),
            now=now,
            woken_at=woken_at,
        )

    assert decided(NOW, woken_at) is Reason.REPEAT
    assert decided(woken_at, woken_at + timedelta(minutes=5)) is Reason.UNCHANGED
