"""Maintenance windows: which are on, when the next begin, editing, beginning and ending by hand."""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from zoneinfo import ZoneInfo

from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_POST

from apps.monitors.models import MaintenanceWindow, Monitor
from apps.monitors.selectors.maintenance import window_get, window_list, window_monitors
from apps.monitors.services.window_specs import (
    window_ahead,
    window_begin,
    window_draft,
    window_end,
    window_of,
    window_state,
)
from apps.monitors.services.windows import Span, span_at
from apps.monitors.web.editors import WINDOW_EDITOR
from apps.orgs.selectors import folder_get
from detectviz.clock import utc_now
from detectviz.resources.errors import InvalidFieldsError
from detectviz.resources.services import resource_act, resource_delete
from detectviz.web.forms import Errors, field_errors
from detectviz.web.pages import PageRequest, go_to, render_page
from detectviz.web.scope import OrgScope, org_page
from detectviz.web.specs import draft_problems, spec_create, spec_draft, spec_edit

_AHEAD = 10
_MOST_MONITORS = 50
_LOOKS = {"active": "maintenance", "scheduled": "queued", "over": "done", "disabled": "off"}


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
        is_on = self.window.is_enabled
        return window_ahead(self.window, now=utc_now(), limit=_AHEAD) if is_on else []

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


@dataclass(frozen=True)
class WindowPreview:
    """A window as typed so far; without one the errors say why there is none."""

    scope: OrgScope
    window: MaintenanceWindow | None
    errors: Errors

    @cached_property
    def shown(self) -> ShownWindow | None:
        """The window with its times."""
        return ShownWindow(self.window) if self.window else None

    @cached_property
    def monitors(self) -> list[Monitor]:
        """The monitors it would cover that somebody may read."""
        if self.window is None:
            return []
        rows = self.scope.access.filter(window_monitors(self.window), "monitors:read")
        try:
            return list(rows.order_by("name")[:_MOST_MONITORS])
        except InvalidFieldsError:
            return []

    @property
    def problems(self) -> list[str]:
        """What is missing or wrong."""
        return draft_problems(self.scope, WINDOW_EDITOR, self.errors)


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
    """Show the form of a new window and take it."""
    scope.access.require("maintenancewindows:create")
    return spec_create(request, scope, WINDOW_EDITOR)


@org_page("maintenancewindows:update")
def window_edit(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Show the form of a window and take it."""
    window = window_allowed(scope, name, "maintenancewindows:update")
    return spec_edit(request, scope, WINDOW_EDITOR, window)


@require_POST
@org_page("maintenancewindows:read")
def window_preview(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Show the next times of a window as typed so far, and what it covers; nothing is saved."""
    draft = spec_draft(request, scope, WINDOW_EDITOR)
    page = WindowPreview(scope, None, draft.errors)
    if draft.spec is not None:
        try:
            window = window_draft(org=scope.org, spec=draft.spec, now=utc_now())
            window.folder = folder_get(scope.org, request.POST.get("folder", ""))
            page = WindowPreview(scope, window, {})
        except InvalidFieldsError as error:
            page = WindowPreview(scope, None, field_errors(error.fields))
    return render_page(request, "monitors/partials/_window_preview.html", page)


@require_POST
@org_page("maintenancewindows:update")
def window_turn(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Begin a window now, or end what is on."""
    window = window_allowed(scope, name, "maintenancewindows:update")
    is_begin = request.POST.get("turn", "begin") == "begin"
    turn = window_begin if is_begin else window_end
    resource_act(
        WINDOW_EDITOR.resource,
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
    resource_delete(WINDOW_EDITOR.resource, org=scope.org, actor=scope.user, name=name)
    return go_to(request, _list_url(scope), said=f"{name} is deleted.")


def _list_url(scope: OrgScope) -> str:
    return reverse("monitors:window-list", args=[scope.org.name])


def _detail_url(scope: OrgScope, name: str) -> str:
    return reverse("monitors:window-detail", args=[scope.org.name, name])


def _local(moment: datetime) -> str:
    return f"{moment:%a %d %b %Y %H:%M %Z}"
