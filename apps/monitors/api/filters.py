"""From a request to values: what a push says."""

import re
from math import isfinite

from django.http import HttpRequest

from apps.monitors.enums import PingKind
from apps.monitors.services.heartbeats import LONGEST_MESSAGE, LONGEST_RUN_ID, Ping

HIGHEST_EXIT_CODE = 255


def ping_of(request: HttpRequest, signal: str) -> Ping | None:
    """Return what a push says, None when its last path segment means nothing.

    No segment is a success, ``start`` and ``fail`` say so, a number is an exit code.
    ``?msg=`` wins over the body, which is cut at 10 KB; ``?duration=`` is in seconds.
    """
    kind, exit_code = _kind_of(signal)
    if kind is None:
        return None
    return Ping(
        kind=kind,
        exit_code=exit_code,
        duration_s=_seconds(request.GET.get("duration", "")),
        message=request.GET.get("msg") or _body_excerpt(request),
        run_id=request.GET.get("rid", "")[:LONGEST_RUN_ID],
    )


def _kind_of(signal: str) -> tuple[PingKind | None, int | None]:
    if signal in {"", "success"}:
        return PingKind.SUCCESS, None
    if signal in {"start", "fail"}:
        return PingKind(signal), None
    if re.fullmatch("[0-9]{1,3}", signal) and int(signal) <= HIGHEST_EXIT_CODE:
        code = int(signal)
        return (PingKind.SUCCESS if code == 0 else PingKind.FAIL), code
    return None, None


def _seconds(text: str) -> float | None:
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if isfinite(seconds) and seconds >= 0 else None


def _body_excerpt(request: HttpRequest) -> str:
    if request.method != "POST":
        return ""
    return request.read(LONGEST_MESSAGE).decode("utf-8", "replace")
