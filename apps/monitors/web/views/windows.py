"""Maintenance windows: which are on, when the next begin, editing, beginning and ending by hand."""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_POST

from apps.monitors.models import MaintenanceWindow, Monitor
from apps.monitors.selectors.maintenance import window_get, window_list, window_monitors
from apps.monitors.services.window_specs import (
    window_begin,
    window_end,
    window_of,
    window_state,
)
from apps.monitors.services.windows import Span, span_at, spans
from detectviz.clock import utc_now
from detectviz.resources.services import resource_act, resource_delete
from detectviz.web.pages import PageRequest, go_to, render_page
from detectviz.web.scope import OrgScope, org_page
from detectviz.web.spec_text import SpecText, spec_save
from detectviz.web.writes import kind_of

_AHEAD = 10
_MOST_MONITORS = 50
_LOOKS = {"active": "maintenance", "scheduled": "queued", "over": "done", "disabled": "off"}
EXAMPLE = """\
title: Patch night
strategy: monthly          # once, cron, weekly or monthly
nth_weekdays: [second saturday]
start_time: "03:00"
duration: 2h
location: Europe/Berlin
# once:    starts_at: {day}T22:00:00Z, ends_at: {day}T23:00:00Z
# cron:    cron: "0 3 * * sat"
# weekly:  weekdays: [saturday, sunday]
# monthly: days: [1, -1]   # -1 is the last day
all_monitors: false
monitors: []               # by name
selector: ""               # by label: team=web,env!=test
folders: []
matchers: []               # alerts of whatever monitor: ['severity="warning"']
collect: true              # false: nothing is checked meanwhile
note: ""                   # for everybody
"""


@dataclass(frozen=True)
class ShownWindow:
    """A window with its times."""

    window: MaintenanceWindow

    @cached_property
    def state(self) -> str:
        """Where it is in its life."""
        return window_state(self.window, utc_now()).value

    @property
    def look(self) -> str:
        """The look of the state."""
        return _LOOKS[self.state]

    @property
    def label(self) -> str:
        """The state in words."""
        words = {"active": "On", "scheduled": "Scheduled", "over": "Over", "disabled": "Off"}
        return words[self.state]

    @cached_property
    def current(self) -> Span | None:
        """The span that is on."""
        return span_at(window_of(self.window), utc_now()) if self.window.is_enabled else None

    @cached_property
    def ahead(self) -> list[Span]:
        """The spans to come."""
        if not self.window.is_enabled:
            return []
        now = utc_now()
        found = spans(window_of(self.window), after=now)
        return list(islice((each for each in found if each.starts_at > now), _AHEAD))

    @property
    def following(self) -> Span | None:
        """The next one."""
        return self.ahead[0] if self.ahead else None

    @property
    def calendar(self) -> list[tuple[str, str]]:
        """The spans to come by the clocks of their place; templates would show those of UTC."""
        zone = ZoneInfo(self.window.location)
        return [
            (_local(each.starts_at.astimezone(zone)), _local(each.ends_at.astimezone(zone)))
            for each in self.ahead
        ]


@dataclass(frozen=True)
class WindowListPage:
    """The list."""

    scope: OrgScope

    @cached_property
    def rows(self) -> list[ShownWindow]:
        """The windows somebody may read, those that are on first, then by their next time."""
        found = self.scope.access.filter(window_list(org=self.scope.org), "maintenancewindows:read")
        far = datetime.max.replace(tzinfo=UTC)
        rows = [ShownWindow(row) for row in found]
        return sorted(
            rows,
            key=lambda row: (
                row.current is None,
                row.following.starts_at if row.following else far,
                row.window.name,
            ),
        )

    @property
    def may_create(self) -> bool:
        """Return whether the user may add windows."""
        return self.scope.can("maintenancewindows:create")


@dataclass(frozen=True)
class WindowPage:
    """One window."""

    scope: OrgScope
    window: MaintenanceWindow

    @cached_property
    def shown(self) -> ShownWindow:
        """The window with its times."""
        return ShownWindow(self.window)

    @cached_property
    def monitors(self) -> list[Monitor]:
        """The monitors it covers that somebody may read."""
        rows = self.scope.access.filter(window_monitors(self.window), "monitors:read")
        return list(rows.order_by("name")[:_MOST_MONITORS])

    @property
    def may_update(self) -> bool:
        """Return whether the user may change it."""
        return self.scope.can("maintenancewindows:update", self.window)

    @property
    def may_delete(self) -> bool:
        """Return whether the user may delete it."""
        return self.scope.can("maintenancewindows:delete", self.window)


def window_kind() -> Any:
    """Return the registered kind."""
    return kind_of("monitoring/v1", "MaintenanceWindow")


def window_allowed(scope: OrgScope, name: str, permission: str) -> MaintenanceWindow:
    """Return a window the user may do this with; raise NotFoundError or ForbiddenError."""
    window = window_get(org=scope.org, name=name)
    scope.access.require(permission, window)
    return window


@org_page("maintenancewindows:read")
def window_page(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Show the list."""
    return render_page(request, "monitors/window_list.html", WindowListPage(scope))


@org_page("maintenancewindows:read")
def window_detail(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Show one window."""
    page = WindowPage(scope, window_allowed(scope, name, "maintenancewindows:read"))
    return render_page(request, "monitors/window_detail.html", page)


@org_page("maintenancewindows:create")
def window_create(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Show the text of a new window and take it."""
    scope.access.require("maintenancewindows:create")
    text = EXAMPLE.format(day=f"{utc_now():%Y-%m-%d}")
    page = SpecText(scope, window_kind(), text=text, back=_list_url(scope))
    return spec_save(request, page, template="monitors/window_edit.html", done=_detail_url)


@org_page("maintenancewindows:update")
def window_edit(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Show the text of a window and take it."""
    window = window_allowed(scope, name, "maintenancewindows:update")
    page = SpecText.of(scope, window_kind(), window, back=_detail_url(scope, name))
    return spec_save(request, page, template="monitors/window_edit.html", done=_detail_url)


@require_POST
@org_page("maintenancewindows:update")
def window_turn(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Begin a window now, or end what is on."""
    window = window_allowed(scope, name, "maintenancewindows:update")
    is_begin = request.POST.get("turn", "begin") == "begin"
    turn = window_begin if is_begin else window_end
    resource_act(
        window_kind(),
        org=scope.org,
        actor=scope.user,
        name=window.name,
        verb="begin" if is_begin else "end",
        act=lambda row: turn(window=row, now=utc_now()),
    )
    said = f"{name} is {'on' if is_begin else 'over'}."
    return go_to(request, _detail_url(scope, name), said=said)


@require_POST
@org_page("maintenancewindows:delete")
def window_delete(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Delete a window."""
    window_allowed(scope, name, "maintenancewindows:delete")
    resource_delete(window_kind(), org=scope.org, actor=scope.user, name=name)
    return go_to(request, _list_url(scope), said=f"{name} is deleted.")


def _list_url(scope: OrgScope) -> str:
    return reverse("monitors:window-list", args=[scope.org.name])


def _detail_url(scope: OrgScope, name: str) -> str:
    return reverse("monitors:window-detail", args=[scope.org.name, name])


def _local(moment: datetime) -> str:
    return f"{moment:%a %d %b %Y %H:%M %Z}"
