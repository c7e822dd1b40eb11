"""A heartbeat is judged by what was heard and when, and by nothing else."""

from datetime import UTC, datetime, timedelta

import pytest

from detectviz.contracts.collector import CheckResult, Heartbeat
from detectviz.contracts.types import CheckState, JsonObject, PluginKind
from detectviz.pluginhost.configuration import validate
from detectviz.testing.plugins import built_in_plugins, checked_config
from plugins.collectors.push.push import judge

SINCE = datetime(2026, 1, 31, 8, 0, tzinfo=UTC)
UP, DEGRADED, DOWN, UNKNOWN = (
    CheckState.UP,
    CheckState.DEGRADED,
    CheckState.DOWN,
    CheckState.UNKNOWN,
)
HOURLY: JsonObject = {"period": "1h", "grace": "10m", "max_run": "30m"}


def _after(minutes: float | None) -> datetime | None:
    return None if minutes is None else SINCE + timedelta(minutes=minutes)


def _judge(
    minutes: float,
    config: JsonObject = HOURLY,
    *,
    success: float | None = None,
    start: float | None = None,
    fail: float | None = None,
    code: int | None = None,
    duration_s: float | None = None,
    message: str = "",
) -> CheckResult:
    heartbeat = Heartbeat(
        since=SINCE,
        last_success_at=_after(success),
        last_start_at=_after(start),
        last_fail_at=_after(fail),
        last_exit_code=code,
        last_duration_s=duration_s,
        last_message=message,
    )
    checked = checked_config(PluginKind.COLLECTOR, "push", config)
    return judge(checked.config, heartbeat, SINCE + timedelta(minutes=minutes))


def _metric(result: CheckResult, name: str) -> float:
    return next(metric.value for metric in result.metrics if metric.name == name)


@pytest.mark.parametrize(
    ("minutes", "success", "state"),
    [
        (30, None, UNKNOWN),
        (65, None, DEGRADED),
        (71, None, DOWN),
        (60, 10, UP),
        (70, 10, UP),
        (71, 10, DEGRADED),
        (80, 10, DEGRADED),
        (81, 10, DOWN),
        (10_000, 10, DOWN),
    ],
)
def test_a_signal_is_awaited_then_late_then_missing(
    minutes: float, success: float | None, state: CheckState
) -> None:
    assert _judge(minutes, success=success).state is state


def test_lateness_can_be_left_unshown() -> None:
    config: JsonObject = {**HOURLY, "late_is_degraded": False}
    assert _judge(75, config, success=10).state is UP
    assert _judge(81, config, success=10).state is DOWN


def test_the_message_says_how_late_and_since_when() -> None:
    result = _judge(101, success=10)
    assert result.message == "Signal is missing for 31m, last heard 1h31m ago"


@pytest.mark.parametrize(
    ("heard", "state"),
    [
        ({"success": 10, "fail": 20}, DOWN),
        ({"success": 30, "fail": 20}, UP),
        ({"fail": 20}, DOWN),
        ({"success": 10, "fail": 20, "start": 30}, DOWN),
    ],
)
def test_a_failure_stays_until_the_next_success(heard: dict[str, float], state: CheckState) -> None:
    assert _judge(40, **heard).state is state  # type: ignore[arg-type]  # times only


def test_a_failure_says_its_exit_code_and_words() -> None:
    result = _judge(40, fail=20, code=2, message="disk full")
    assert result.message == "Failed 20m ago with exit code 2: disk full"


def test_an_exit_code_counts_as_the_configuration_says() -> None:
    config: JsonObject = {**HOURLY, "ok_exit_codes": [0, 3]}
    assert _judge(40, config, fail=20, code=3).state is UP
    assert _judge(40, config, success=20, code=4).state is DOWN
    assert _judge(40, config, success=20, code=0).state is UP


@pytest.mark.parametrize(
    ("minutes", "state"), [(61, UP), (75, UP), (89, UP), (90, UP), (91, DOWN), (119, DOWN)]
)
def test_a_running_job_is_not_late_and_overruns_in_the_end(
    minutes: float, state: CheckState
) -> None:
    assert _judge(minutes, success=0, start=60).state is state


def test_a_finished_run_is_not_running() -> None:
    result = _judge(65, success=62, start=60, duration_s=120.0)
    assert result.state is UP
    assert result.duration_s == 120.0
    assert _metric(result, "probe_heartbeat_running") == 0.0
    assert _metric(result, "probe_heartbeat_run_duration_seconds") == 120.0


@pytest.mark.parametrize(("took_s", "state"), [(60.0, UP), (61.0, DEGRADED), (121.0, DOWN)])
def test_a_slow_run_degrades_or_fails(took_s: float, state: CheckState) -> None:
    config: JsonObject = {**HOURLY, "duration_degraded": "1m", "duration_down": "2m"}
    assert _judge(20, config, success=10, duration_s=took_s).state is state


@pytest.mark.parametrize(
    ("config", "success", "minutes", "state"),
    [
        ({"schedule": "cron", "cron": "0 9 * * *", "grace": "5m"}, 5, 59, UP),
        ({"schedule": "cron", "cron": "0 9 * * *", "grace": "5m"}, 5, 62, DEGRADED),
        ({"schedule": "cron", "cron": "0 9 * * *", "grace": "5m"}, 5, 66, DOWN),
        ({"schedule": "cron", "cron": "0 9 * * *", "grace": "5m"}, 61, 66, UP),
        (
            {
                "schedule": "cron",
                "cron": "0 10 * * *",
                "timezone": "Europe/Berlin",
                "grace": "5m",
            },
            5,
            66,
            DOWN,
        ),
        ({"schedule": "calendar", "calendar": "*:0/30", "grace": "5m"}, 5, 29, UP),
        ({"schedule": "calendar", "calendar": "*:0/30", "grace": "5m"}, 5, 36, DOWN),
    ],
)
def test_cron_and_calendar_say_when_a_signal_is_due(
    config: JsonObject, success: float, minutes: float, state: CheckState
) -> None:
    assert _judge(minutes, config, success=success).state is state


def test_metrics_and_evidence_tell_the_times() -> None:
    result = _judge(30, success=10, code=0)
    assert _metric(result, "probe_heartbeat_age_seconds") == 1200.0
    assert _metric(result, "probe_heartbeat_exit_code") == 0.0
    expected = SINCE + timedelta(minutes=70)
    assert _metric(result, "probe_heartbeat_expected_timestamp_seconds") == expected.timestamp()
    assert result.evidence["expected_at"] == expected.isoformat()


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({"period": "soon"}, "/period"),
        ({"cron": "every day"}, "/cron"),
        ({"calendar": "25:00"}, "/calendar"),
        ({"timezone": "Mars/Olympus"}, "/timezone"),
        ({"duration_down": "long"}, "/duration_down"),
        ({"ok_exit_codes": [256]}, "/ok_exit_codes/0"),
    ],
)
def test_a_wrong_configuration_names_its_field(config: JsonObject, field: str) -> None:
    schema = built_in_plugins().manifest(PluginKind.COLLECTOR, "push").config_schema
    assert field in {problem.field for problem in validate(schema, config, {}).problems}
