"""When and how one person is told."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from apps.oncall.services.preferences import Planned, Quiet, notices_planned, urgency_of

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
NIGHT = Quiet(
    zone=ZoneInfo("Europe/Berlin"),
    start=time(22),
    end=time(7),
    excepted=frozenset({"critical"}),
)


def test_without_rules_every_method_is_used_at_once() -> None:
    planned = notices_planned(
        rules=[], methods=["chat", "mail"], quiet=None, severity="error", now=NOON
    )
    assert planned == [Planned(method="chat", due_at=NOON), Planned(method="mail", due_at=NOON)]


def test_rules_choose_by_severity_and_the_soonest_of_a_method_counts() -> None:
    rules = [
        {"severities": [], "method": "chat", "delay_s": 600},
        {"severities": ["critical"], "method": "chat", "delay_s": 0},
        {"severities": ["critical"], "method": "phone", "delay_s": 300},
        {"severities": ["critical"], "method": "gone", "delay_s": 0},
    ]
    planned = notices_planned(
        rules=rules, methods=["chat", "phone"], quiet=None, severity="critical", now=NOON
    )
    assert [(one.method, one.due_at - NOON) for one in planned] == [
        ("chat", timedelta(0)),
        ("phone", timedelta(minutes=5)),
    ]


@pytest.mark.parametrize(
    ("hour_utc", "severity", "expected"),
    [
        (21, "warning", datetime(2026, 7, 2, 5, tzinfo=UTC)),
        (4, "warning", datetime(2026, 7, 1, 5, tzinfo=UTC)),
        (5, "warning", datetime(2026, 7, 1, 5, tzinfo=UTC)),
        (21, "critical", datetime(2026, 7, 1, 21, tzinfo=UTC)),
    ],
)
def test_quiet_hours_put_off_what_is_not_critical(
    hour_utc: int, severity: str, expected: datetime
) -> None:
    now = NOON.replace(hour=hour_utc)
    (planned,) = notices_planned(
        rules=[], methods=["chat"], quiet=NIGHT, severity=severity, now=now
    )
    assert planned.due_at == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["info", "warning"], "warning"),
        (["page"], "critical"),
        (["what"], "error"),
        ([], "error"),
        (["info", "CRITICAL"], "critical"),
    ],
)
def test_the_worst_severity_counts(words: list[str], expected: str) -> None:
    assert urgency_of([{"severity": word} for word in words]) == expected
