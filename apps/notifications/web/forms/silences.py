"""The form of a silence: what people are asked, and what it becomes."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from apps.notifications.models import Silence
from apps.notifications.services.matchers import LabelMatcher, MatcherError, matcher_of
from apps.notifications.services.matchers import parse_matcher as read_matcher
from apps.notifications.services.silences import SilenceDraft
from apps.notifications.web.forms.silence_times import (
    EXACT,
    SPANS,
    Times,
    TimesError,
    input_text,
    last_day,
    same_time_next,
    times_read,
    zone_of,
)
from detectviz.contracts.durations import DurationError, format_duration, parse_duration_ms
from detectviz.contracts.types import JsonObject
from detectviz.pluginhost.forms import FormField, form_fields

FIRST_SPAN = "2h"
CUSTOM = "custom"
REPEATS: Mapping[str, str] = {
    "": "Does not repeat",
    "FREQ=DAILY": "Every day",
    "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR": "Monday to Friday",
    "FREQ=WEEKLY;BYDAY=SA,SU": "Saturdays and Sundays",
    "FREQ=WEEKLY": "Every week, on the day it starts",
    "FREQ=MONTHLY": "Every month, on the day it starts",
    CUSTOM: "By a rule of its own",
}
REMINDERS: Mapping[str, str] = {
    "": "No reminder",
    "15m": "15 minutes before",
    "1h": "1 hour before",
    "4h": "4 hours before",
    "1d": "1 day before",
}
OPERATORS: Mapping[str, str] = {
    "=": "= equals",
    "!=": "!= differs",
    "=~": "=~ matches",
    "!~": "!~ matches not",
}
_SERIES = timedelta(days=90)
_MOST_WORDS = 5000
_EMPTY_SET: JsonObject = {"matchers": [{}]}

Problems = dict[str, list[str]]


def silence_fields(folders: Sequence[str], *, remind_before: str = "") -> tuple[FormField, ...]:
    """Return what is asked; ``folders`` are the names to choose from, "" for the whole org."""
    reminders = {
        **REMINDERS,
        remind_before: REMINDERS.get(remind_before, f"{remind_before} before"),
    }
    recurring = [each for each in REPEATS if each]
    labels = {name: name or "The whole organisation" for name in folders}
    return form_fields(
        {
            "required": ["comment"],
            "properties": {
                "sets": _sets_schema(),
                "span": _choice("For", SPANS, default=FIRST_SPAN),
                "starts_at": {"type": "string", "title": "Starts"},
                "ends_at": {"type": "string", "title": "Ends"},
                "location": {
                    "type": "string",
                    "title": "Time zone",
                    "default": "UTC",
                    "description": "Times here are those of its clocks.",
                },
                "comment": {
                    "type": "string",
                    "title": "Why",
                    "maxLength": _MOST_WORDS,
                    "x-placeholder": "What is done about it, and by whom",
                },
                "repeat": _choice("Repeats", REPEATS),
                "rrule": {
                    "type": "string",
                    "title": "Rule",
                    "description": "One RRULE of RFC 5545, without COUNT and UNTIL.",
                    "x-placeholder": "FREQ=MONTHLY;BYDAY=1SU",
                    "x-show-if": {"repeat": [CUSTOM]},
                },
                "until": {
                    "type": "string",
                    "title": "Repeats until",
                    "x-show-if": {"repeat": recurring},
                },
                "folder": {
                    **_choice("Folder", labels),
                    "description": "In a folder it mutes only alerts of that folder's rules.",
                },
                "remind_before": {
                    **_choice("Reminder", reminders),
                    "description": "Whoever made it is told before it ends.",
                },
                "title": {
                    "type": "string",
                    "title": "Title",
                    "x-placeholder": "Deploy of the shop",
                },
            },
        }
    )


def silence_blank(
    sets: Sequence[Sequence[str]], *, now: datetime, location: str = "UTC"
) -> dict[str, Any]:
    """Return the answers a new form begins with."""
    return {
        "sets": [{"matchers": [_row(text) for text in texts]} for texts in sets] or [_EMPTY_SET],
        "span": FIRST_SPAN,
        "location": location,
        "until": (now + _SERIES).date().isoformat(),
    }


def silence_answers(silence: Silence, *, now: datetime) -> dict[str, Any]:
    """Return the answers that make a stored silence."""
    zone = zone_of(silence.location if silence.rrule else "UTC")
    times = stored_times(silence)
    shown: dict[str, Any] = {
        **silence_blank(silence.matcher_sets, now=now),
        "span": EXACT,
        "starts_at": input_text(silence.starts_at, zone),
        "ends_at": input_text(times.ends_at, zone),
        "location": silence.location if silence.rrule else "UTC",
        "comment": silence.comment,
        "title": silence.title,
        "folder": silence.folder.name if silence.folder else "",
        "remind_before": _duration_text(silence.remind_before_ms),
    }
    if silence.rrule:
        is_known = silence.rrule in REPEATS
        shown["repeat"] = silence.rrule if is_known else CUSTOM
        shown["rrule"] = "" if is_known else silence.rrule
        shown["until"] = last_day(silence.ends_at, zone).isoformat()
    return shown


def silence_again(silence: Silence, *, now: datetime) -> dict[str, Any]:
    """Return the answers that make one like it, from now on."""
    shown = silence_answers(silence, now=now)
    length = stored_times(silence).ends_at - silence.starts_at
    if silence.rrule:
        zone = zone_of(silence.location)
        start = same_time_next(silence.starts_at, zone, now)
        times = {"starts_at": input_text(start, zone), "ends_at": input_text(start + length, zone)}
        return {**shown, **times, "until": (now + _SERIES).date().isoformat()}
    text = _duration_text(int(length.total_seconds() * 1000))
    span = text if text in SPANS else FIRST_SPAN
    return {**shown, "span": span, "starts_at": "", "ends_at": ""}


def silence_read(
    asked: JsonObject, *, now: datetime, stored: Silence | None
) -> tuple[SilenceDraft, Problems]:
    """Return what the answers ask for, and what is wrong with them by field.

    With problems of time the draft's times mean nothing.
    """
    answers: Mapping[str, Any] = asked
    problems: Problems = {}
    if not answers.get("comment"):
        problems["comment"] = ["Say why: whoever finds it at night has only this."]
    sets = _sets(answers.get("sets") or [], problems)
    times = Times(starts_at=None, ends_at=now)
    try:
        times = times_read(
            answers, now=now, stored=stored_times(stored) if stored is not None else None
        )
    except TimesError as error:
        problems[error.field] = [str(error)]
    length = times.ends_at - (times.starts_at or now.replace(microsecond=0))
    rrule = answers.get("repeat", "")
    draft = SilenceDraft(
        matcher_sets=sets,
        starts_at=times.starts_at,
        ends_at=times.over_at or times.ends_at,
        title=answers.get("title", ""),
        comment=answers.get("comment", ""),
        annotations=stored.annotations if stored is not None else {},
        rrule=answers.get("rrule", "") if rrule == CUSTOM else rrule,
        duration_ms=int(length.total_seconds() * 1000) if rrule else 0,
        location=answers.get("location", "UTC") if rrule else "UTC",
        remind_before_ms=_reminder(answers.get("remind_before", "")),
    )
    if rrule == CUSTOM and not draft.rrule:
        problems["rrule"] = ["Write a rule such as FREQ=WEEKLY;BYDAY=SA,SU."]
    return draft, problems


def draft_spec(draft: SilenceDraft) -> dict[str, Any]:
    """Return a draft as the spec of its kind."""
    spec: dict[str, Any] = {
        "title": draft.title,
        "matcher_sets": [list(texts) for texts in draft.matcher_sets],
        "ends_at": draft.ends_at.isoformat(),
        "comment": draft.comment,
        "annotations": dict(draft.annotations),
    }
    if draft.starts_at is not None:
        spec["starts_at"] = draft.starts_at.isoformat()
    if draft.rrule:
        spec["recurrence"] = {
            "rrule": draft.rrule,
            "duration": _duration_text(draft.duration_ms),
            "location": draft.location,
        }
    if draft.remind_before_ms:
        spec["remind_before"] = _duration_text(draft.remind_before_ms)
    return spec


def placed(errors: Mapping[str, Sequence[str]], *, is_recurring: bool) -> Problems:
    """Return the errors of a spec at the fields of this form."""
    found: Problems = {}
    for path, messages in errors.items():
        head = path.removeprefix("spec.").replace(".", "/")
        if head.partition("/")[0].partition("[")[0] in {"matchers", "matcher_sets"}:
            place = "sets"
        elif head == "ends_at" and is_recurring:
            place = "until"
        else:
            place = {"recurrence/rrule": "repeat", "recurrence/location": "location"}.get(
                head, head
            )
        found.setdefault(place, []).extend(messages)
    return found


def stored_times(silence: Silence) -> Times:
    """Return the times of a stored silence as the form knows them."""
    if not silence.rrule:
        return Times(starts_at=silence.starts_at, ends_at=silence.ends_at)
    first_end = silence.starts_at + timedelta(milliseconds=silence.duration_ms)
    return Times(starts_at=silence.starts_at, ends_at=first_end, over_at=silence.ends_at)


def _sets_schema() -> JsonObject:
    matcher: JsonObject = {
        "type": "object",
        "required": ["name"],
        "properties": {
            "name": {"type": "string", "title": "Label"},
            "op": _choice("Operator", OPERATORS, default="="),
            # a text of several lines keeps its spaces, and so must a value
            "value": {"type": "string", "title": "Value", "x-widget": "textarea"},
        },
    }
    inner: JsonObject = {"type": "array", "title": "Matchers", "items": matcher}
    return {
        "type": "array",
        "title": "Alerts that match",
        "items": {"type": "object", "properties": {"matchers": inner}},
    }


def _choice(title: str, choices: Mapping[str, str], *, default: str = "") -> dict[str, Any]:
    return {
        "type": "string",
        "title": title,
        "enum": list(choices),
        "x-labels": dict(choices),
        "default": default,
    }


def _row(text: str) -> dict[str, str]:
    matcher = read_matcher(text)
    return {"name": matcher.name, "op": matcher.op, "value": matcher.value}


def _sets(rows: Sequence[Mapping[str, Any]], problems: Problems) -> list[list[str]]:
    sets = []
    for at, row in enumerate(rows):
        matchers = [
            _matcher(each, f"sets/{at}/matchers/{index}", problems)
            for index, each in enumerate(row.get("matchers") or [])
            if each.get("name") or each.get("value")
        ]
        if matchers:
            sets.append([str(each) for each in matchers if each is not None])
    return sets


def _matcher(row: Mapping[str, str], place: str, problems: Problems) -> LabelMatcher | None:
    op = row.get("op", "=")
    try:
        return matcher_of(row.get("name", ""), op if op in OPERATORS else "=", row.get("value", ""))
    except MatcherError as error:
        field = "value" if row.get("name") else "name"
        problems[f"{place}/{field}"] = [str(error)]
        return None


def _reminder(text: str) -> int:
    try:
        return parse_duration_ms(text) if text else 0
    except DurationError:
        return 0


def _duration_text(milliseconds: int) -> str:
    return format_duration(milliseconds / 1000) if milliseconds else ""
