"""What push monitors hear: tokens, pings, and runs paired by their id."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime

from django.db import models, transaction

from apps.monitors.enums import PingKind
from apps.monitors.models import Heartbeat, Monitor
from apps.monitors.services.evidence import text_clean
from apps.monitors.services.schedule import schedule_make_due
from detectviz.clock import from_ms, to_ms
from detectviz.resources.errors import NotFoundError
from detectviz.runtime.signals import send_on_commit
from detectviz.tenancy.context import scope_enter

LONGEST_MESSAGE = 10_000
LONGEST_RUN_ID = 100
MOST_RUNS = 50
MOST_PINGS = 20
_PING_EXCERPT = 500
_TOKEN_BYTES = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping:
    """One push. ``exit_code`` is None unless given; ``run_id`` pairs a start with its finish."""

    kind: PingKind
    exit_code: int | None = None
    duration_s: float | None = None
    message: str = ""
    run_id: str = ""


def heartbeat_ensure(*, monitor: Monitor, now: datetime) -> Heartbeat:
    """Return the monitor's heartbeat, made with a new token if there is none."""
    found: Heartbeat | None = _of(monitor).first()
    if found is not None:
        return found
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    made: Heartbeat = Heartbeat.objects.create_for(
        monitor.org, monitor=monitor, token_hash=_digest(token), token={"token": token}, since=now
    )
    return made


def heartbeat_remove(*, monitor: Monitor) -> None:
    """Forget token and pings, as when a monitor stops being a push monitor."""
    _of(monitor).delete()


def heartbeat_rotate(*, monitor: Monitor) -> Heartbeat:
    """Give a push monitor a new token; the old address stops working. Raise NotFoundError."""
    heartbeat: Heartbeat | None = _of(monitor).first()
    if heartbeat is None:
        raise NotFoundError
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    heartbeat.token_hash, heartbeat.token = _digest(token), {"token": token}
    heartbeat.save(update_fields=["token_hash", "token"])
    return heartbeat


@transaction.atomic
def ping_record(*, org: str, token: str, ping: Ping, now: datetime) -> None:
    """Record one push and make its monitor due now.

    Raise NotFoundError, with the same words whether the org, the token or their match is wrong.
    """
    rows = Heartbeat.objects.across_orgs(reason="the token is the credential; the org must match")
    heartbeat = (
        rows.select_for_update(of=("self",))
        .filter(token_hash=_digest(token), org__name=org, org__is_active=True)
        .first()
    )
    if heartbeat is None:
        raise NotFoundError
    scope_enter(heartbeat.org_id)
    _apply(heartbeat, ping, now)
    heartbeat.save(
        update_fields=[
            "last_success_at",
            "last_start_at",
            "last_fail_at",
            "last_exit_code",
            "last_duration_s",
            "last_message",
            "runs",
            "pings",
        ]
    )
    schedule_make_due(monitors=[heartbeat.monitor_id], now=now)
    send_on_commit("collector", {})


def _apply(heartbeat: Heartbeat, ping: Ping, now: datetime) -> None:
    message = text_clean(ping.message)[:LONGEST_MESSAGE]
    duration_s = ping.duration_s
    if ping.kind is PingKind.START:
        heartbeat.last_start_at = now
        runs = {**heartbeat.runs, ping.run_id: to_ms(now)}
        heartbeat.runs = dict(list(runs.items())[-MOST_RUNS:])
    else:
        if duration_s is None:
            duration_s = _run_duration_s(heartbeat, ping.run_id, now)
        heartbeat.runs = {key: at for key, at in heartbeat.runs.items() if key != ping.run_id}
        heartbeat.last_duration_s = duration_s
        heartbeat.last_exit_code = ping.exit_code
        heartbeat.last_message = message
        if ping.kind is PingKind.SUCCESS:
            heartbeat.last_success_at = now
        else:
            heartbeat.last_fail_at = now
    entry = {
        "at": now.isoformat(),
        "kind": ping.kind.value,
        "exit_code": ping.exit_code,
        "duration_s": duration_s,
        "run_id": ping.run_id,
        "message": message[:_PING_EXCERPT],
    }
    heartbeat.pings = [entry, *heartbeat.pings][:MOST_PINGS]


def _run_duration_s(heartbeat: Heartbeat, run_id: str, now: datetime) -> float | None:
    started_ms = heartbeat.runs.get(run_id)
    return None if started_ms is None else max(0.0, (now - from_ms(started_ms)).total_seconds())


def _of(monitor: Monitor) -> "models.QuerySet[Heartbeat]":
    return Heartbeat.objects.for_org(monitor.org_id).filter(monitor=monitor)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
