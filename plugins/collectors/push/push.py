"""The heartbeat collector: nothing is asked, only what was heard is judged."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from detectviz.contracts.collector import CheckResult, CollectorContext, Heartbeat, Metric
from detectviz.contracts.config import get_bool, get_duration_s
from detectviz.contracts.durations import format_duration
from detectviz.contracts.errors import PluginError
from detectviz.contracts.types import CheckState, JsonObject
from plugins.collectors.push.deadlines import Heard, expected_at, hear

_KEPT_CHARACTERS = 300
Verdict = tuple[CheckState, str]


class PushCollector:
    """Judges a heartbeat."""

    async def check(self, context: CollectorContext) -> CheckResult:
        """Say whether the last signal is as new and as good as the configuration wants."""
        if context.heartbeat is None:
            raise PluginError("No signals were handed to the heartbeat.", permanent=True)
        return judge(context.config, context.heartbeat, context.now())


def judge(config: JsonObject, heartbeat: Heartbeat, now: datetime) -> CheckResult:
    """Return the result at ``now``; the same heartbeat and time always give the same result."""
    heard = hear(config, heartbeat)
    due_at = expected_at(config, heard.succeeded_at or heartbeat.since)
    state, message = (
        _failed(heard, heartbeat, now)
        or _overrun(config, heard, now)
        or _slow(config, heartbeat, CheckState.DOWN, "duration_down")
        or _missing(config, heard, due_at, now)
        or _slow(config, heartbeat, CheckState.DEGRADED, "duration_degraded")
        or _fine(heard, due_at, now)
    )
    return CheckResult(
        state=state,
        message=message,
        duration_s=heartbeat.last_duration_s,
        metrics=tuple(_metrics(heard, heartbeat, due_at, now)),
        evidence=_evidence(heard, heartbeat, due_at),
    )


def _failed(heard: Heard, heartbeat: Heartbeat, now: datetime) -> Verdict | None:
    if not heard.has_failed or heard.failed_at is None:
        return None
    code = heartbeat.last_exit_code
    how = f"with exit code {code}" if code else ""
    said = f": {heartbeat.last_message[:_KEPT_CHARACTERS]}" if heartbeat.last_message else ""
    return CheckState.DOWN, " ".join(f"Failed {_ago(heard.failed_at, now)} {how}".split()) + said


def _overrun(config: JsonObject, heard: Heard, now: datetime) -> Verdict | None:
    allowed_s = get_duration_s(config, "max_run")
    if not heard.is_running or heard.started_at is None or allowed_s is None:
        return None
    if now <= heard.started_at + timedelta(seconds=allowed_s):
        return None
    longest = format_duration(allowed_s)
    return CheckState.DOWN, f"Started {_ago(heard.started_at, now)} and not ended within {longest}"


def _slow(
    config: JsonObject, heartbeat: Heartbeat, state: CheckState, threshold: str
) -> Verdict | None:
    allowed_s = get_duration_s(config, threshold)
    took_s = heartbeat.last_duration_s
    if allowed_s is None or took_s is None or took_s <= allowed_s:
        return None
    took, allowed = format_duration(took_s), format_duration(allowed_s)
    return state, f"The last run took {took}, longer than {allowed}"


def _missing(config: JsonObject, heard: Heard, due_at: datetime, now: datetime) -> Verdict | None:
    if heard.is_running or now <= due_at:
        return None
    late = _span(now - due_at)
    grace_s = get_duration_s(config, "grace") or 0.0
    if now > due_at + timedelta(seconds=grace_s):
        last = (
            f"last heard {_ago(heard.succeeded_at, now)}" if heard.succeeded_at else "never heard"
        )
        return CheckState.DOWN, f"Signal is missing for {late}, {last}"
    if get_bool(config, "late_is_degraded", default=True):
        grace = format_duration(grace_s)
        return CheckState.DEGRADED, f"Signal is late by {late} of the {grace} allowed"
    return None


def _fine(heard: Heard, due_at: datetime, now: datetime) -> Verdict:
    if heard.is_running and heard.started_at is not None:
        return CheckState.UP, f"Running, started {_ago(heard.started_at, now)}"
    if heard.succeeded_at is None:
        return CheckState.UNKNOWN, f"Waiting for the first signal until {_clock(due_at)}"
    return CheckState.UP, f"Last signal {_ago(heard.succeeded_at, now)}, next by {_clock(due_at)}"


def _metrics(
    heard: Heard, heartbeat: Heartbeat, due_at: datetime, now: datetime
) -> Iterator[Metric]:
    last = heard.succeeded_at or heartbeat.since
    yield Metric(name="probe_heartbeat_age_seconds", value=max((now - last).total_seconds(), 0.0))
    yield Metric(name="probe_heartbeat_expected_timestamp_seconds", value=due_at.timestamp())
    yield Metric(name="probe_heartbeat_running", value=float(heard.is_running))
    if heard.succeeded_at is not None:
        at = heard.succeeded_at.timestamp()
        yield Metric(name="probe_heartbeat_last_success_timestamp_seconds", value=at)
    if heartbeat.last_duration_s is not None:
        took_s = heartbeat.last_duration_s
        yield Metric(name="probe_heartbeat_run_duration_seconds", value=took_s)
    if heartbeat.last_exit_code is not None:
        code = float(heartbeat.last_exit_code)
        yield Metric(name="probe_heartbeat_exit_code", value=code)


def _evidence(heard: Heard, heartbeat: Heartbeat, due_at: datetime) -> JsonObject:
    times = {
        "last_success_at": heard.succeeded_at,
        "last_fail_at": heard.failed_at,
        "last_start_at": heard.started_at,
        "expected_at": due_at,
    }
    return {
        **{name: at.isoformat() if at else None for name, at in times.items()},
        "last_exit_code": heartbeat.last_exit_code,
        "last_duration_s": heartbeat.last_duration_s,
        "last_message": heartbeat.last_message[:2_000],
    }


def _ago(at: datetime, now: datetime) -> str:
    return f"{_span(now - at)} ago"


def _span(delta: timedelta) -> str:
    return format_duration(max(round(delta.total_seconds()), 0))


def _clock(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
