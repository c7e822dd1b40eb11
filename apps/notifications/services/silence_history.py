"""What people did to a silence, from the audit trail."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apps.audit.models import AuditEvent
from apps.audit.selectors import audit_list
from apps.notifications.models import Silence

_MOST = 50
_VERBS = {
    "silence.create": "made it",
    "silence.create-by-link": "made it from a notification",
    "silence.update": "changed it",
    "silence.expire": "ended it",
}
_FIELDS = {
    "matchers": "matchers",
    "matcher_sets": "matchers",
    "starts_at": "start",
    "ends_at": "end",
    "comment": "comment",
    "title": "title",
    "recurrence": "recurrence",
    "remind_before": "reminder",
    "created_by": "owner",
    "annotations": "annotations",
}
_TIMES = ("starts_at", "ends_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class SilenceChange:
    """One act: who, what, and which fields it changed, in words."""

    uid: str
    at: datetime
    actor: str
    did: str
    changed: tuple[str, ...] = ()


def silence_history(silence: Silence) -> list[SilenceChange]:
    """Return what was done to a silence since it was made, the newest first.

    An earlier one of the same name is not its history.
    """
    events = audit_list(silence.org, filters={"kind": "Silence", "name": silence.name})
    return list(_since_made(events[:_MOST]))


def _since_made(events: Any) -> Iterator[SilenceChange]:
    for event in events:
        yield _change(event)
        if event.action.startswith("silence.create"):
            return


def _change(event: AuditEvent) -> SilenceChange:
    is_update = event.action == "silence.update"
    return SilenceChange(
        uid=event.uid,
        at=event.at,
        actor=event.actor_name or "Somebody",
        did=_VERBS.get(event.action, event.action),
        changed=tuple(_changed(event.before, event.after)) if is_update else (),
    )


def _changed(before: Any, after: Any) -> Iterator[str]:
    was, has = _spec(before), _spec(after)
    told = set()
    for name, words in _FIELDS.items():
        if was.get(name) == has.get(name) or words in told:
            continue
        told.add(words)
        yield f"{words}: {_minute(has[name])}" if name in _TIMES and name in has else words
    if _folder(before) != _folder(after):
        yield "folder"


def _spec(envelope: Any) -> Mapping[str, Any]:
    return envelope.get("spec", {}) if isinstance(envelope, Mapping) else {}


def _folder(envelope: Any) -> Any:
    return envelope.get("metadata", {}).get("folder") if isinstance(envelope, Mapping) else None


def _minute(text: str) -> str:
    return f"{text[:16].replace('T', ' ')} UTC"
