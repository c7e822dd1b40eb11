"""Silences: the list by state, one of them with what it mutes now, and what can be done."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from django.http import HttpResponse, QueryDict
from django.urls import reverse
from django.views.decorators.http import require_POST

from apps.notifications.enums import SilenceState
from apps.notifications.models import RoutedAlert, Silence
from apps.notifications.selectors import (
    silence_counts,
    silence_creators,
    silence_get,
    silence_list,
    silence_queryset,
)
from apps.notifications.services.muted_alerts import muted_alerts
from apps.notifications.services.recurrence import muting_until, next_change_at, occurrences
from apps.notifications.services.silence_history import SilenceChange, silence_history
from apps.notifications.services.silence_names import silence_heading
from apps.notifications.services.silence_search import silence_matches
from apps.notifications.services.silences import silence_expire, silence_state
from apps.orgs.selectors import folder_list
from detectviz.clock import utc_now
from detectviz.contracts.durations import parse_duration_s
from detectviz.resources.errors import ConflictError, InvalidFieldsError
from detectviz.resources.services import resource_act
from detectviz.web.pages import Pager, PageRequest, go_to, render_page
from detectviz.web.scope import OrgScope, org_page
from detectviz.web.writes import form_save, kind_of

PER_PAGE = 50
EXTENSIONS = ("1h", "4h", "1d")
_TABLE = "notifications/partials/_silence_table.html"
_MOST_CHARACTERS = 200
_NEXT = 5
_MINUTE = "%a %-d %b, %H:%M"
_MOST_ALERTS = 50


@dataclass(frozen=True, kw_only=True)
class SilenceRow:
    """A silence as lists and its page show it."""

    silence: Silence
    now: datetime
    muted: Sequence[RoutedAlert] = ()
    may_update: bool = False

    @property
    def state(self) -> SilenceState:
        """Where it is in its life."""
        return silence_state(self.silence, self.now)

    @property
    def look(self) -> str:
        """The state as a pill shows it."""
        return "planned" if self.state is SilenceState.PENDING else self.state.value

    @property
    def heading(self) -> str:
        """What people call it."""
        return silence_heading(self.silence)

    @property
    def sets(self) -> list[list[str]]:
        """Its matchers."""
        found: list[list[str]] = self.silence.matcher_sets
        return found

    @cached_property
    def muting_until(self) -> datetime | None:
        """When it ends to mute, None while it does not."""
        return muting_until(self.silence, self.now)

    @property
    def next_at(self) -> datetime | None:
        """When it mutes next, None while it mutes and when it never will."""
        return None if self.muting_until else next_change_at(self.silence, self.now)


@dataclass(frozen=True)
class SilenceListPage:
    """The silences as asked for by the query string."""

    scope: OrgScope
    query: QueryDict
    now: datetime

    @property
    def state(self) -> SilenceState:
        """The state asked for."""
        wanted = self.query.get("state", "")
        return SilenceState(wanted) if wanted in SilenceState.values else SilenceState.ACTIVE

    @property
    def search(self) -> str:
        """Matchers or words to look for."""
        return self._text("search")

    @property
    def creator(self) -> str:
        """Whose are asked for."""
        return self._text("creator")

    @property
    def folder(self) -> str:
        """The folder asked for."""
        return self._text("folder")

    @property
    def is_filtered(self) -> bool:
        """Return whether an empty list is the filters' doing."""
        return bool(self.search or self.creator or self.folder)

    @property
    def tabs(self) -> list[tuple[SilenceState, int]]:
        """The states to choose from, each with how many there are."""
        counts = silence_counts(self._readable, self.now)
        order = (SilenceState.ACTIVE, SilenceState.PENDING, SilenceState.EXPIRED)
        return [(state, counts[state]) for state in order]

    @cached_property
    def creators(self) -> list[str]:
        """The people to filter by."""
        return silence_creators(self._readable)

    @cached_property
    def folders(self) -> list[str]:
        """The folders to filter by."""
        return [folder.name for folder in folder_list(self.scope.org)]

    @cached_property
    def pager(self) -> Pager:
        """Where in the list the page stands."""
        return Pager.of(self.query, count=len(self._found), per_page=PER_PAGE)

    @cached_property
    def rows(self) -> list[SilenceRow]:
        """This page of the list, each with what it mutes now."""
        shown = self._found[self.pager.offset : self.pager.offset + PER_PAGE]
        return rows_of(self.scope, shown, self.now)

    @property
    def may_create(self) -> bool:
        """Return whether the user may silence anything."""
        return self.scope.can("silences:create")

    @cached_property
    def _readable(self) -> Any:
        return self.scope.access.filter(silence_queryset(org=self.scope.org), "silences:read")

    @cached_property
    def _found(self) -> list[Silence]:
        rows = silence_list(self._readable, state=self.state, now=self.now)
        if self.creator:
            rows = rows.filter(created_by=self.creator)
        if self.folder:
            rows = rows.filter(folder__name=self.folder)
        return [row for row in rows if silence_matches(row, self.search)]

    def _text(self, name: str) -> str:
        return self.query.get(name, "").replace("\x00", "").strip()[:_MOST_CHARACTERS]


@dataclass(frozen=True, kw_only=True)
class SilencePage:
    """One silence."""

    scope: OrgScope
    row: SilenceRow

    @property
    def silence(self) -> Silence:
        """The silence."""
        return self.row.silence

    @property
    def alerts(self) -> Sequence[RoutedAlert]:
        """What it mutes now."""
        return self.row.muted[:_MOST_ALERTS]

    @property
    def more(self) -> int:
        """How many alerts are not listed."""
        return max(len(self.row.muted) - _MOST_ALERTS, 0)

    @property
    def times(self) -> list[tuple[datetime, str]]:
        """When a recurring one mutes next, also by the clocks of its place."""
        silence = self.silence
        if not silence.rrule or self.is_over:
            return []
        found = occurrences(
            silence.rrule,
            starts_at=silence.starts_at,
            ends_at=silence.ends_at,
            location=silence.location,
        )
        later = [at for at in found if at >= self.row.now][:_NEXT]
        return [(at, f"{at:{_MINUTE}}") for at in later]

    @cached_property
    def changes(self) -> list[SilenceChange]:
        """Who did what to it, the newest first."""
        return silence_history(self.silence)

    @property
    def is_over(self) -> bool:
        """Return whether it never mutes again."""
        return self.row.state is SilenceState.EXPIRED

    @property
    def extensions(self) -> Sequence[str]:
        """By how much it can be made longer at one click."""
        return EXTENSIONS

    @property
    def may_create(self) -> bool:
        """Return whether the user may make another like it."""
        return self.scope.can("silences:create")

    @property
    def may_audit(self) -> bool:
        """Return whether the user may look into the audit log."""
        return self.scope.can("audit:read")


@org_page("silences:read")
def silence_page(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Show the list, or for HTMX the table."""
    page = SilenceListPage(scope, request.GET, utc_now())
    return render_page(request, "notifications/silence_list.html", page, fragment=_TABLE)


@org_page("silences:read")
def silence_detail(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Show one silence, or for HTMX what changes by itself."""
    silence = silence_of(scope, name, "silences:read")
    page = SilencePage(scope=scope, row=rows_of(scope, [silence], utc_now())[0])
    return render_page(
        request,
        "notifications/silence_detail.html",
        page,
        fragment="notifications/partials/_silence_detail.html",
    )


@require_POST
@org_page("silences:update")
def silence_end(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """End a silence now."""
    silence_of(scope, name, "silences:update")
    resource_act(
        kind_of("alerting/v1", "Silence"),
        org=scope.org,
        actor=scope.user,
        name=name,
        verb="expire",
        act=lambda silence: silence_expire(silence=silence, now=utc_now()),
    )
    return go_to(request, _detail_url(scope, name), said="The silence has ended.")


@require_POST
@org_page("silences:update")
def silence_extend(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Let a silence last longer."""
    silence, span = silence_of(scope, name, "silences:update"), request.POST.get("by", "")
    if span not in EXTENSIONS or silence_state(silence, utc_now()) is SilenceState.EXPIRED:
        raise InvalidFieldsError({"by": [f"One of {', '.join(EXTENSIONS)}, before it is over."]})
    kind = kind_of("alerting/v1", "Silence")
    ends_at = silence.ends_at + timedelta(seconds=parse_duration_s(span))
    spec: Mapping[str, Any] = {**kind.to_spec(silence), "ends_at": ends_at.isoformat()}
    if refused := form_save(scope, kind, mode="update", name=name, spec=spec):
        raise ConflictError(" ".join(text for texts in refused.values() for text in texts))
    return go_to(request, _detail_url(scope, name), said=f"Longer by {span}.")


def rows_of(scope: OrgScope, silences: Sequence[Silence], now: datetime) -> list[SilenceRow]:
    """Return silences with what each mutes now, as far as the user may see it."""
    muted = muted_alerts(org=scope.org, access=scope.access, silences=silences, now=now)
    return [
        SilenceRow(
            silence=one,
            now=now,
            muted=muted.get(one.pk, ()),
            may_update=scope.can("silences:update", one),
        )
        for one in silences
    ]


def silence_of(scope: OrgScope, name: str, permission: str) -> Silence:
    """Return a silence, if the user holds ``permission`` on it."""
    silence = silence_get(org=scope.org, name=name)
    scope.access.require(permission, silence)
    return silence


def _detail_url(scope: OrgScope, name: str) -> str:
    return reverse("notifications:silence-detail", args=[scope.org.name, name])
