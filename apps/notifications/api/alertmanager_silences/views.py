"""Silences of Alertmanager's API v2, kept as Silence resources."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar

from django.http import HttpRequest, HttpResponse

from apps.notifications.api.alertmanager.filters import is_wanted, matchers_of
from apps.notifications.api.alertmanager.serializers import json_body, uid_of, uuid_of, wrong_type
from apps.notifications.api.alertmanager_silences.serializers import (
    silence_body,
    silence_json,
    silence_spec,
)
from apps.notifications.enums import SilenceState
from apps.notifications.models import Silence
from apps.notifications.selectors import silence_queryset
from apps.notifications.services.matchers import LabelMatcher, parse_matcher
from apps.notifications.services.silences import silence_expire, silence_state, silence_uid_of
from detectviz.clock import utc_now
from detectviz.doors.alertmanager import AlertmanagerView, AnswerError, json_answer
from detectviz.resources.models import new_uid
from detectviz.resources.registry import ResourceKind, registry
from detectviz.resources.services import resource_act, resource_write

_API_VERSION, _KIND = "alerting/v1", "Silence"
_ORDER = {SilenceState.ACTIVE: 1, SilenceState.PENDING: 2, SilenceState.EXPIRED: 3}


class SilencesView(AlertmanagerView):
    """``api/v2/silences``."""

    permissions: ClassVar[dict[str, str]] = {"GET": "silences:read", "POST": "silences:create"}

    def authorize(self, permission: str) -> None:
        """Raise ForbiddenError for who may do this nowhere; silences made here are in no folder."""
        if permission == "silences:create" or not self.access.allows_somewhere(permission):
            self.access.require(permission)

    def get(self, request: HttpRequest) -> HttpResponse:
        """List silences: active ones by their end, pending ones by their start, then expired."""
        matchers = matchers_of(request.GET, "filter")
        now = utc_now()
        states = {state for state in SilenceState if is_wanted(request.GET, state.value)}
        rows = self.access.filter(silence_queryset(org=self.org), "silences:read")
        shown = [
            row
            for row in rows
            if len(row.matcher_sets) == 1
            and silence_state(row, now) in states
            and _has_matchers(row, matchers)
        ]
        shown.sort(key=lambda row: _sort_key(row, now))
        return json_answer([silence_json(row, now) for row in shown])

    def post(self, request: HttpRequest) -> HttpResponse:
        """Create a silence, or change the one whose id is given."""
        body = silence_body(json_body(request.body, "silence"))
        instance = None
        if body.get("id"):
            instance = _found(self.org, str(body["id"]), status=404, body="silence not found")
            self.access.require("silences:update", instance)
        written = resource_write(
            _kind(),
            org=self.org,
            actor=request.user,  # type: ignore[arg-type]  # a caller is a person or a program
            name=instance.name if instance is not None else f"silence-{new_uid()}",
            spec=silence_spec(body, instance),
        )
        return json_answer({"silenceID": uuid_of(written.instance.uid)})


class SilenceView(AlertmanagerView):
    """``api/v2/silence/{id}``."""

    permissions: ClassVar[dict[str, str]] = {"GET": "silences:read", "DELETE": "silences:update"}

    def authorize(self, permission: str) -> None:
        """Raise ForbiddenError for who may do this to no silence."""
        if not self.access.allows_somewhere(permission):
            self.access.require(permission)

    def get(self, request: HttpRequest, uuid: str) -> HttpResponse:
        """Show one."""
        row = _found(self.org, uuid)
        self.access.require("silences:read", row)
        return json_answer(silence_json(row, utc_now()))

    def delete(self, request: HttpRequest, uuid: str) -> HttpResponse:
        """Expire one; it stays listed for a while."""
        row = _found(self.org, uuid)
        self.access.require("silences:update", row)
        resource_act(
            _kind(),
            org=self.org,
            actor=request.user,  # type: ignore[arg-type]  # a caller is a person or a program
            name=row.name,
            verb="expire",
            act=lambda silence: silence_expire(silence=silence, now=utc_now()),
        )
        return json_answer(None)


def _kind() -> ResourceKind[Any]:
    kind = registry.by_kind(_API_VERSION, _KIND)
    assert kind is not None
    return kind


def _found(org: Any, uuid: str, *, status: int = 404, body: Any = None) -> Silence:
    try:
        uid = uid_of(uuid)
    except ValueError as error:
        raise wrong_type("silenceID", "path", "uuid", uuid) from error
    row = silence_uid_of(org=org, uid=uid) if uid else None
    if row is None:
        raise AnswerError(status, body)
    return row


def _has_matchers(row: Silence, wanted: Sequence[LabelMatcher]) -> bool:
    """Say whether a silence has each matcher of a filter, as written."""
    own = {parse_matcher(text) for texts in row.matcher_sets for text in texts}
    return all(matcher in own for matcher in wanted)


def _sort_key(row: Silence, now: datetime) -> tuple[int, float]:
    state = silence_state(row, now)
    if state is SilenceState.PENDING:
        return _ORDER[state], row.starts_at.timestamp()
    ends = row.ends_at.timestamp()
    return _ORDER[state], ends if state is SilenceState.ACTIVE else -ends
