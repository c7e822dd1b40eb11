"""The iCalendar (RFC 5545) of a schedule: one event for each shift."""

import hashlib
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.urls import reverse

from apps.oncall.models import OnCallSchedule
from apps.oncall.services.rotations import Shift, shifts
from apps.oncall.services.schedules import schedule_value

BEFORE = timedelta(days=14)
AFTER = timedelta(days=90)
_LINE_BYTES = 75


def calendar_text(*, schedule: OnCallSchedule, now: datetime, participant: str = "") -> str:
    """Return the feed, of everybody or of one participant alone."""
    start = now.replace(hour=0, minute=0, second=0, microsecond=0) - BEFORE
    found = shifts(schedule_value(schedule), start, start + BEFORE + AFTER)
    title = schedule.title or schedule.name
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Detectviz//On-call//EN",
        "CALSCALE:GREGORIAN",
        f"X-WR-CALNAME:{_escaped(title)}",
        "REFRESH-INTERVAL;VALUE=DURATION:PT1H",
        "X-PUBLISHED-TTL:PT1H",
    ]
    for shift in found:
        if shift.participant and participant in {"", shift.participant}:
            lines += _event(schedule, title, shift, now)
    lines.append("END:VCALENDAR")
    return "".join(f"{_folded(line)}\r\n" for line in lines)


def calendar_url(schedule: OnCallSchedule) -> str:
    """Return the address of a schedule's feed."""
    path = reverse("oncall-api:calendar", args=[schedule.calendar.get("token", "")])
    return f"{settings.EXTERNAL_URL}{path}"


def _event(schedule: OnCallSchedule, title: str, shift: Shift, now: datetime) -> list[str]:
    key = f"{schedule.uid}/{shift.starts_at.timestamp()}/{shift.participant}"
    return [
        "BEGIN:VEVENT",
        f"UID:{hashlib.sha256(key.encode()).hexdigest()[:32]}@detectviz",
        f"DTSTAMP:{_time(now)}",
        f"DTSTART:{_time(shift.starts_at)}",
        f"DTEND:{_time(shift.ends_at)}",
        f"SUMMARY:{_escaped(f'{shift.participant} on call: {title}')}",
        f"DESCRIPTION:{_escaped(shift.source)}",
        "TRANSP:TRANSPARENT",
        "END:VEVENT",
    ]


def _time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _escaped(text: str) -> str:
    for plain, written in (("\\", "\\\\"), (";", "\\;"), (",", "\\,"), ("\n", "\\n"), ("\r", "")):
        text = text.replace(plain, written)
    return text


def _folded(line: str) -> str:
    """Break a line so that no part is longer than 75 bytes, never inside of a character."""
    parts: list[str] = []
    part = ""
    for char in line:
        if len((part + char).encode()) > _LINE_BYTES - bool(parts):
            parts.append(part)
            part = ""
        part += char
    return "\r\n ".join([*parts, part])
