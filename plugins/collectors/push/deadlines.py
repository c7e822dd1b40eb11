"""When the next signal is expected, and what has been heard: pure functions of time."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from detectviz.contracts.collector import Heartbeat
from detectviz.contracts.config import get_duration_s, get_list, get_text
from detectviz.contracts.errors import ConfigurationError
from detectviz.contracts.schedules import (
    ScheduleError,
    next_calendar,
    next_cron,
    parse_timezone,
)
from detectviz.contracts.types import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A heartbeat with its last end judged by the exit codes of success."""

    succeeded_at: datetime | None
    failed_at: datetime | None
    started_at: datetime | None

    @property
    def has_failed(self) -> bool:
        """Whether the last end was a failure."""
        return is_newer(self.failed_at, self.succeeded_at)

    @property
    def is_running(self) -> bool:
        """Whether a start has no end yet."""
        return is_newer(self.started_at, self.succeeded_at) and is_newer(
            self.started_at, self.failed_at
        )


def hear(config: JsonObject, heartbeat: Heartbeat) -> Heard:
    """Return what ``heartbeat`` means under this configuration."""
    succeeded_at, failed_at = heartbeat.last_success_at, heartbeat.last_fail_at
    code = heartbeat.last_exit_code
    accepted = get_list(config, "ok_exit_codes")
    if code is not None and code in accepted and is_newer(failed_at, succeeded_at):
        succeeded_at, failed_at = failed_at, None
    elif code is not None and code not in accepted and is_newer(succeeded_at, failed_at):
        succeeded_at, failed_at = None, succeeded_at
    return Heard(succeeded_at=succeeded_at, failed_at=failed_at, started_at=heartbeat.last_start_at)


def expected_at(config: JsonObject, base: datetime) -> datetime:
    """Return when the signal after ``base`` is due, in UTC; raise ConfigurationError."""
    kind = get_text(config, "schedule")
    if kind == "period":
        return base + timedelta(seconds=get_duration_s(config, "period") or 0.0)
    next_after = next_cron if kind == "cron" else next_calendar
    try:
        zone = parse_timezone(get_text(config, "timezone"))
        return next_after(get_text(config, kind), base, zone)
    except ScheduleError as error:
        raise ConfigurationError(str(error), field=f"/{kind}") from error


def is_newer(one: datetime | None, other: datetime | None) -> bool:
    """Return whether ``one`` happened, and after ``other`` if that happened at all."""
    return one is not None and (other is None or one > other)
