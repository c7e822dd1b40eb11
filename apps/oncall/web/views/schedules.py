"""The schedules: who is on call now, a picture of the weeks to come, standing in, editing."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from django.http import HttpResponse, QueryDict
from django.urls import reverse
from django.views.decorators.http import require_POST

from apps.oncall.models import OnCallOverride, OnCallSchedule
from apps.oncall.selectors import override_list, schedule_get, schedule_list
from apps.oncall.services.calendars import calendar_url
from apps.oncall.services.participants import participant_list
from apps.oncall.services.rotations import (
    MIDNIGHT,
    Schedule,
    Shift,
    instant,
    on_call_at,
    shifts,
)
from apps.oncall.services.schedules import (
    calendar_rotate,
    draft_value,
    override_create,
    override_delete,
    schedule_value,
)
from apps.oncall.web.editors.schedules import SCHEDULE_EDITOR
from apps.oncall.web.views.timeline import Timeline, timeline_of
from detectviz.clock import utc_now
from detectviz.resources.errors import InvalidFieldsError
from detectviz.resources.services import resource_delete
from detectviz.web.forms import Errors
from detectviz.web.pages import PageRequest, go_to, render_page
from detectviz.web.scope import OrgScope, org_page
from detectviz.web.specs import draft_problems, spec_create, spec_draft, spec_edit

DAYS = 14
_FARTHEST = 100
_FARTHEST_START = timedelta(days=366)
_DIGITS = 4
_DETAIL = "oncall/partials/_schedule_detail.html"


@dataclass(frozen=True)
class ShownSchedule:
    """One line of the list."""

    schedule: OnCallSchedule

    @cached_property
    def _next(self) -> list[Shift]:
        now = utc_now()
        return shifts(schedule_value(self.schedule), now, now + timedelta(days=DAYS))

    @property
    def current(self) -> Shift | None:
        """The shift that is on."""
        return self._next[0] if self._next and self._next[0].participant else None

    @property
    def until(self) -> datetime | None:
        """When the shift ends, or that nobody is on call; None where nothing changes soon."""
        return self._next[0].ends_at if len(self._next) > 1 else None

    @property
    def following(self) -> Shift | None:
        """The shift after it."""
        return next((each for each in self._next[1:] if each.participant), None)

    @property
    def has_gap(self) -> bool:
        """Return whether there is a time with nobody on call ahead."""
        return any(not each.participant for each in self._next)


@dataclass(frozen=True)
class ScheduleListPage:
    """The list."""

    scope: OrgScope

    @cached_property
    def rows(self) -> list[ShownSchedule]:
        """The schedules somebody may read."""
        rows = self.scope.access.filter(schedule_list(self.scope.org), "oncallschedules:read")
        return [ShownSchedule(row) for row in rows]

    @property
    def may_create(self) -> bool:
        """Return whether the user may add schedules."""
        return self.scope.can("oncallschedules:create")


@dataclass(frozen=True)
class SchedulePage:
    """One schedule."""

    scope: OrgScope
    schedule: OnCallSchedule
    query: QueryDict

    @cached_property
    def value(self) -> Schedule:
        """The schedule as what can be asked."""
        return schedule_value(self.schedule)

    @property
    def offset(self) -> int:
        """How many spans from now the picture begins."""
        text = self.query.get("at", "0")
        number = int(text) if text.removeprefix("-").isdecimal() and len(text) <= _DIGITS else 0
        return max(-_FARTHEST, min(number, _FARTHEST))

    @property
    def previous(self) -> int:
        """The span before."""
        return self.offset - 1

    @property
    def following(self) -> int:
        """The span after."""
        return self.offset + 1

    @cached_property
    def timeline(self) -> Timeline:
        """The picture."""
        now = utc_now()
        today = midnight(ZoneInfo(self.schedule.time_zone), now)
        start = today + timedelta(days=DAYS * self.offset)
        return timeline_of(self.value, start=start, days=DAYS, now=now)

    @property
    def shown(self) -> ShownSchedule:
        """Who is on call."""
        return ShownSchedule(self.schedule)

    @cached_property
    def overrides(self) -> list[OnCallOverride]:
        """Who stands in from now on."""
        return override_list(self.schedule, since=utc_now())

    @property
    def may_update(self) -> bool:
        """Return whether the user may change it."""
        return self.scope.can("oncallschedules:update", self.schedule)

    @property
    def may_delete(self) -> bool:
        """Return whether the user may delete it."""
        return self.scope.can("oncallschedules:delete", self.schedule)

    @property
    def participants(self) -> list[tuple[str, str]]:
        """Who can stand in."""
        return participant_list(org=self.scope.org)

    @property
    def calendar_url(self) -> str:
        """The address of the feed."""
        return calendar_url(self.schedule)


@dataclass(frozen=True)
class SchedulePreview:
    """A schedule as typed so far; without a value the errors say why there is none."""

    scope: OrgScope
    value: Schedule | None
    errors: Errors

    @cached_property
    def timeline(self) -> Timeline | None:
        """The picture of the next days, from the day the first layer begins."""
        if self.value is None:
            return None
        now = utc_now()
        start = midnight(self.value.zone, now)
        first = min((layer.starts_on for layer in self.value.layers), default=start.date())
        ahead = first - now.astimezone(self.value.zone).date()
        if timedelta(0) < ahead < _FARTHEST_START:
            start = instant(self.value.zone, first, MIDNIGHT)
        return timeline_of(self.value, start=start, days=DAYS, now=now)

    @property
    def current(self) -> str:
        """Who would be on call now."""
        return on_call_at(self.value, utc_now()) if self.value else ""

    @property
    def problems(self) -> list[str]:
        """What is missing or wrong."""
        return draft_problems(self.scope, SCHEDULE_EDITOR, self.errors)


def schedule_of(scope: OrgScope, name: str, permission: str) -> OnCallSchedule:
    """Return a schedule the user may do this with; raise NotFoundError or ForbiddenError."""
    schedule = schedule_get(scope.org, name)
    scope.access.require(permission, schedule)
    return schedule


@org_page("oncallschedules:read")
def schedule_page(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Show the list."""
    return render_page(request, "oncall/schedule_list.html", ScheduleListPage(scope))


@org_page("oncallschedules:read")
def schedule_detail(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Show one schedule, or for HTMX its picture."""
    schedule = schedule_of(scope, name, "oncallschedules:read")
    page = SchedulePage(scope, schedule, request.GET)
    return render_page(request, "oncall/schedule_detail.html", page, fragment=_DETAIL)


@org_page("oncallschedules:create")
def schedule_create(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Show the form of a new schedule and take it."""
    return spec_create(request, scope, SCHEDULE_EDITOR)


@org_page("oncallschedules:update")
def schedule_edit(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Show the form of a schedule and take it."""
    schedule = schedule_of(scope, name, "oncallschedules:update")
    return spec_edit(request, scope, SCHEDULE_EDITOR, schedule)


@require_POST
@org_page("oncallschedules:read")
def schedule_preview(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Show who would be on call by a schedule as typed so far; nothing is saved."""
    draft = spec_draft(request, scope, SCHEDULE_EDITOR)
    value = draft_value(draft.spec) if draft.spec is not None else None
    page = SchedulePreview(scope, value, draft.errors)
    return render_page(request, "oncall/partials/_schedule_preview.html", page)


@require_POST
@org_page("oncallschedules:delete")
def schedule_delete(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Delete a schedule."""
    schedule_of(scope, name, "oncallschedules:delete")
    resource_delete(SCHEDULE_EDITOR.resource, org=scope.org, actor=scope.user, name=name)
    return go_to(request, _list_url(scope), said=f"{name} is deleted.")


@require_POST
@org_page("oncallschedules:update")
def override_add(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Have somebody stand in; times are those of the schedule's clock."""
    schedule = schedule_of(scope, name, "oncallschedules:update")
    zone = ZoneInfo(schedule.time_zone)
    override_create(
        schedule=schedule,
        participant=request.POST.get("participant", ""),
        starts_at=_local(request.POST, "starts_at", zone),
        ends_at=_local(request.POST, "ends_at", zone),
        actor=scope.user,
        now=utc_now(),
    )
    return go_to(request, _detail_url(scope, name), said="The override is set.")


@require_POST
@org_page("oncallschedules:update")
def override_end(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Take an override away."""
    schedule = schedule_of(scope, name, "oncallschedules:update")
    override_delete(schedule=schedule, uid=request.POST.get("override", ""), actor=scope.user)
    return go_to(request, _detail_url(scope, name), said="The override is gone.")


@require_POST
@org_page("oncallschedules:update")
def calendar_renew(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Give the feed a new address."""
    schedule = schedule_of(scope, name, "oncallschedules:update")
    calendar_rotate(schedule=schedule, actor=scope.user)
    return go_to(request, _detail_url(scope, name), said="The calendar has a new address.")


def midnight(zone: ZoneInfo, now: datetime) -> datetime:
    """Return when today began by the clocks of a place."""
    local = now.astimezone(zone)
    return local.replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)


def _local(data: Mapping[str, Any], name: str, zone: ZoneInfo) -> datetime:
    try:
        return datetime.fromisoformat(data.get(name, "")).replace(tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidFieldsError({name: ["Choose a date and a time."]}) from error


def _list_url(scope: OrgScope) -> str:
    return reverse("oncall:schedule-list", args=[scope.org.name])


def _detail_url(scope: OrgScope, name: str) -> str:
    return reverse("oncall:schedule-detail", args=[scope.org.name, name])
