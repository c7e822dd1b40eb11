"""What can be done to a monitor beside reading and writing it, and the push door."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.dateparse import parse_datetime
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from apps.monitors.api.filters import ping_of
from apps.monitors.models import Monitor
from apps.monitors.selectors.monitors import (
    heartbeat_get,
    monitor_get,
    state_change_get,
    state_history,
)
from apps.monitors.selectors.uptime import uptime_list
from apps.monitors.services.bulk_actions import monitors_enable
from apps.monitors.services.heartbeats import heartbeat_rotate, ping_record
from apps.monitors.services.probes import monitor_run, monitor_try_spec
from apps.series.selectors import chart_series
from detectviz.clock import utc_now
from detectviz.resources.errors import InvalidFieldsError, NotFoundError
from detectviz.resources.registry import Subresource

MOST_CHANGES = 500
_DEFAULT_METRIC = "probe_duration_seconds"


def handle_run(request: HttpRequest, org: Any, monitor: Monitor) -> Mapping[str, Any]:
    """Check now and answer what was found; the monitor's state does not change."""
    return monitor_run(monitor=monitor).as_json()


def handle_test(request: Any, org: Any, monitor: None) -> Mapping[str, Any]:
    """Run a spec once before it is saved; ``name`` of an existing monitor lends its secrets."""
    body = request.data if isinstance(request.data, Mapping) else {}
    name = body.get("name")
    instance = monitor_get(org, name) if isinstance(name, str) and name else None
    probe = monitor_try_spec(org=org, spec=body.get("spec"), instance=instance)
    return probe.as_json()


def handle_pause(request: HttpRequest, org: Any, monitor: Monitor) -> Mapping[str, Any]:
    """Stop checking."""
    monitors_enable(org=org, actor=request.user, monitors=[monitor], is_enabled=False)  # type: ignore[arg-type]  # turned away unless authenticated
    return {"enabled": False}


def handle_resume(request: HttpRequest, org: Any, monitor: Monitor) -> Mapping[str, Any]:
    """Check again, beginning now."""
    monitors_enable(org=org, actor=request.user, monitors=[monitor], is_enabled=True)  # type: ignore[arg-type]  # turned away unless authenticated
    return {"enabled": True}


def handle_states(request: HttpRequest, org: Any, monitor: Monitor) -> Mapping[str, Any]:
    """List transitions, newest first; ``?id=`` reads one with its evidence."""
    if request.GET.get("id"):
        key = _whole(request, "id", default=0, largest=2**63 - 1)
        change = state_change_get(monitor, key)
        return {**_change_json(change), "evidence": change.evidence}
    limit = _whole(request, "limit", default=50, largest=MOST_CHANGES)
    changes = state_history(monitor, limit=limit, before=_moment(request, "before", None))
    return {"items": [_change_json(change) for change in changes]}


def handle_results(request: HttpRequest, org: Any, monitor: Monitor) -> Mapping[str, Any]:
    """Return the samples of one of the monitor's metrics, thinned for a chart."""
    now = utc_now()
    end = _moment(request, "to", now) or now
    start = _moment(request, "from", None) or end - timedelta(hours=24)
    metric = request.GET.get("metric") or _DEFAULT_METRIC
    points = _whole(request, "points", default=500, largest=2000)
    lines = chart_series(
        org, metric=metric, equal={"monitor": monitor.name}, start=start, end=end, points=points
    )
    return {
        "metric": metric,
        "series": [
            {
                "labels": dict(line.labels),
                "timestamps_ms": line.timestamps_ms,
                "values": line.values,
            }
            for line in lines
        ],
    }


def handle_uptime(request: HttpRequest, org: Any, monitor: Monitor) -> Mapping[str, Any]:
    """Return seconds by state and the share of uptime over 24 h, 7 d, 30 d and 90 d."""
    windows = uptime_list(org, monitors=[monitor.pk], now=utc_now()).get(monitor.pk, {})
    return {
        name: {
            "ratio": uptime.ratio,
            "up_s": uptime.up_s,
            "degraded_s": uptime.degraded_s,
            "down_s": uptime.down_s,
            "unknown_s": uptime.unknown_s,
            "maintenance_s": uptime.maintenance_s,
        }
        for name, uptime in windows.items()
    }


def handle_heartbeat(request: HttpRequest, org: Any, monitor: Monitor) -> Mapping[str, Any]:
    """Return the address to push to and what was heard; for those who may edit the monitor."""
    heartbeat = heartbeat_get(monitor)
    if heartbeat is None:
        raise NotFoundError
    return {
        "url": push_url(org, heartbeat.token["token"]),
        "last_success_at": heartbeat.last_success_at,
        "last_start_at": heartbeat.last_start_at,
        "last_fail_at": heartbeat.last_fail_at,
        "last_exit_code": heartbeat.last_exit_code,
        "last_duration_s": heartbeat.last_duration_s,
        "last_message": heartbeat.last_message,
        "pings": heartbeat.pings,
    }


def handle_rotate(request: HttpRequest, org: Any, monitor: Monitor) -> Mapping[str, Any]:
    """Give the push monitor a new address; the old one stops working."""
    heartbeat = heartbeat_rotate(monitor=monitor)
    return {"url": push_url(org, heartbeat.token["token"])}


def push_url(org: Any, token: str) -> str:
    """Return the address a job pushes to."""
    return f"{settings.EXTERNAL_URL}/orgs/{org.name}/push/{token}"


@csrf_exempt
@require_http_methods(["GET", "POST", "HEAD"])
def push(request: HttpRequest, org: str, token: str, signal: str = "") -> HttpResponse:
    """Take a heartbeat. The token is the credential; everything wrong with it is one 404."""
    ping = ping_of(request, signal)
    if ping is None:
        return JsonResponse({"detail": "Not found."}, status=404)
    try:
        ping_record(org=org, token=token, ping=ping, now=utc_now())
    except NotFoundError:
        return JsonResponse({"detail": "Not found."}, status=404)
    return JsonResponse({"ok": True})


def _change_json(change: Any) -> dict[str, Any]:
    return {
        "id": change.pk,
        "previous": change.previous,
        "state": change.state,
        "at": change.at,
        "message": change.message,
        "maintenance": change.is_in_maintenance,
    }


def _whole(request: HttpRequest, name: str, *, default: int, largest: int) -> int:
    text = request.GET.get(name, "")
    if not text:
        return default
    is_number = text.isascii() and text.isdigit() and len(text) <= len(str(largest))
    if not is_number or not 1 <= int(text) <= largest:
        raise InvalidFieldsError({name: [f"Must be a whole number from 1 to {largest}."]})
    return int(text)


def _moment(request: HttpRequest, name: str, default: datetime | None) -> datetime | None:
    text = request.GET.get(name, "")
    if not text:
        return default
    try:
        moment = parse_datetime(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise InvalidFieldsError({name: ["Write a time such as 2026-01-31T08:00:00Z."]})
    return moment


SUBRESOURCES = (
    Subresource(
        name="test",
        method="POST",
        permission="monitors:execute",
        handler=handle_test,
        summary="Run a spec once, before saving",
        is_collection=True,
    ),
    Subresource(
        name="run",
        method="POST",
        permission="monitors:execute",
        handler=handle_run,
        summary="Check now",
    ),
    Subresource(
        name="pause",
        method="POST",
        permission="monitors:update",
        handler=handle_pause,
        summary="Stop checking",
    ),
    Subresource(
        name="resume",
        method="POST",
        permission="monitors:update",
        handler=handle_resume,
        summary="Check again",
    ),
    Subresource(
        name="states",
        method="GET",
        permission="monitors:read",
        handler=handle_states,
        summary="State history",
    ),
    Subresource(
        name="results",
        method="GET",
        permission="monitors:read",
        handler=handle_results,
        summary="Samples of one metric for a chart",
    ),
    Subresource(
        name="uptime",
        method="GET",
        permission="monitors:read",
        handler=handle_uptime,
        summary="Uptime over 24 h, 7 d, 30 d and 90 d",
    ),
    Subresource(
        name="heartbeat",
        method="GET",
        permission="monitors:update",
        handler=handle_heartbeat,
        summary="Where to push, and what was heard",
    ),
    Subresource(
        name="rotate-token",
        method="POST",
        permission="monitors:update",
        handler=handle_rotate,
        is_act=True,
        summary="Give a push monitor a new address",
    ),
)
