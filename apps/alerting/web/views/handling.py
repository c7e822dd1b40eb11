"""The part of alert pages where people act: what was decided, by whom, and what can be done."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

from django.http import QueryDict

from apps.accounts.models import Team
from apps.accounts.selectors import membership_list, team_list
from apps.alerting.enums import AlertState, HandlingAction
from apps.alerting.models import Alert, AlertHandling, HandlingEvent
from apps.alerting.selectors import handling_history, handling_map
from apps.alerting.services.handling import actor_of
from apps.alerting.services.handling_requests import HandlingRequest, alerts_handle
from detectviz.clock import utc_now
from detectviz.contracts.durations import DurationError, parse_duration_s
from detectviz.resources.errors import InvalidFieldsError
from detectviz.web.scope import OrgScope

SPANS = (
    ("30m", "30 minutes"),
    ("1h", "1 hour"),
    ("4h", "4 hours"),
    ("1d", "1 day"),
    ("1w", "1 week"),
)
_LONGEST_S = 366 * 86_400
_SAID = {
    HandlingAction.ACKNOWLEDGE: "Acknowledged",
    HandlingAction.UNACKNOWLEDGE: "Given back",
    HandlingAction.ASSIGN: "Assigned",
    HandlingAction.SNOOZE: "Snoozed",
    HandlingAction.UNSNOOZE: "Snooze ended",
    HandlingAction.COMMENT: "Commented",
    HandlingAction.CLOSE: "Closed",
}
# What is not told by marks of its own: kind of cause, look and words.
_HELD = {
    "silence": ("active", "Silenced"),
    "inhibition": ("superseded", "Inhibited"),
    "maintenance": ("maintenance", "In maintenance"),
    "dependency": ("superseded", "Its parent is down"),
    "mute_time": ("snoozed", "Muted at this time"),
    "active_time": ("snoozed", "Muted at this time"),
}


@dataclass(frozen=True)
class HandledAlert:
    """An alert with what people decided about it."""

    alert: Alert
    handling: AlertHandling | None

    @property
    def marks(self) -> list[tuple[str, str]]:
        """What to show beside its state, as (state, words)."""
        row, now = self.handling, utc_now()
        causes = {cause.get("kind") for cause in self.alert.suppressed_by}
        marks = list(dict.fromkeys(held for kind, held in _HELD.items() if kind in causes))
        if row is None:
            return marks
        if row.closed_at is not None:
            marks.append(("closed", f"Closed by {row.closed_by}"))
        if row.is_acknowledged(now):
            marks.append(("acknowledged", f"Acknowledged by {row.acknowledged_by}"))
        if row.is_snoozed(now):
            marks.append(("snoozed", "Snoozed"))
        return marks

    @property
    def assignee(self) -> str:
        """Whose it is, empty for nobody's."""
        return self.handling.assignee if self.handling else ""


@dataclass(frozen=True)
class HandlingPart:
    """What stands on the page of one alert."""

    scope: OrgScope
    alert: Alert

    @cached_property
    def handling(self) -> AlertHandling | None:
        """What people decided about this firing."""
        return handling_map(self.scope.org, [self.alert]).get(self.alert.fingerprint)

    @property
    def marks(self) -> list[tuple[str, str]]:
        """What was decided, as (state, words)."""
        return HandledAlert(self.alert, self.handling).marks

    @cached_property
    def history(self) -> list[HandlingEvent]:
        """What people did, the newest first."""
        return list(handling_history(self.scope.org, self.alert.fingerprint, limit=50))

    @property
    def may_act(self) -> bool:
        """Return whether the user may do something about it."""
        return self.scope.can("alerts:acknowledge", self.alert)

    @property
    def is_open(self) -> bool:
        """Return whether it fires and was not closed."""
        is_closed = self.handling is not None and self.handling.closed_at is not None
        return self.alert.state in {AlertState.FIRING, AlertState.RECOVERING} and not is_closed

    @property
    def is_acknowledged(self) -> bool:
        """Return whether somebody has it."""
        return self.handling is not None and self.handling.is_acknowledged(utc_now())

    @property
    def is_snoozed(self) -> bool:
        """Return whether it is silent for now."""
        return self.handling is not None and self.handling.is_snoozed(utc_now())

    @property
    def assignees(self) -> list[tuple[str, str]]:
        """Whom it can be assigned to, as (``kind:name``, what to show)."""
        people = [
            (f"user:{one.name}", one.user.get_full_name() or one.name)
            for one in membership_list(self.scope.org)
        ]
        teams = [(f"team:{one.name}", f"{one.title or one.name} (team)") for one in _teams(self)]
        return people + teams

    @property
    def assigned(self) -> str:
        """The choice that is taken now."""
        row = self.handling
        return f"{row.assignee_kind}:{row.assignee}" if row and row.assignee else ""

    @property
    def spans(self) -> Sequence[tuple[str, str]]:
        """How long one may snooze."""
        return SPANS


def form_handle(scope: OrgScope, alerts: Sequence[Alert], data: QueryDict) -> str:
    """Do what a form asks; return what to say. Raises InvalidFieldsError."""
    name = data.get("action", "")
    if name not in HandlingAction.values:
        raise InvalidFieldsError({"action": [f"Choose one of {', '.join(HandlingAction.values)}."]})
    action, now = HandlingAction(name), utc_now()
    asked = HandlingRequest(comment=data.get("comment", "").strip()[:4000])
    if action is HandlingAction.SNOOZE and (span := data.get("span", "")):
        asked["until"] = now + _span(span)
    kind, _, assignee = data.get("assignee", "").partition(":")
    if assignee:
        asked["kind"], asked["assignee"] = kind, assignee
    done = alerts_handle(
        org=scope.org,
        actor=actor_of(scope.user),
        action=action,
        alerts=alerts,
        asked=asked,
        now=now,
    )
    return f"{_SAID[action]}: {done} of {len(alerts)}." if len(alerts) != done else _SAID[action]


def _span(text: str) -> timedelta:
    try:
        seconds = parse_duration_s(text)
    except DurationError as error:
        raise InvalidFieldsError({"span": [str(error)]}) from error
    if not 0 < seconds <= _LONGEST_S:
        raise InvalidFieldsError({"span": ["At most a year."]})
    return timedelta(seconds=seconds)


def _teams(part: HandlingPart) -> list[Team]:
    return list(team_list(part.scope.org))
