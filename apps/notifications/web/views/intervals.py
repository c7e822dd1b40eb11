"""The time intervals, and one of them: when it is on, and which routes keep to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_POST

from apps.notifications.models import TimeInterval
from apps.notifications.selectors import time_interval_get, time_interval_list
from apps.notifications.services.route_uses import RouteUse, interval_uses
from apps.notifications.web.editors.intervals import INTERVAL_EDITOR
from apps.notifications.web.views.strip import Strip, interval_words, strip_of
from detectviz.clock import utc_now
from detectviz.resources.services import resource_delete
from detectviz.web.forms import Errors
from detectviz.web.pages import PageRequest, go_to, render_page
from detectviz.web.scope import OrgScope, org_page
from detectviz.web.specs import spec_create, spec_draft, spec_edit

_STRIP = "notifications/partials/_interval_strip.html"


@dataclass(frozen=True)
class ShownInterval:
    """One line of the list."""

    row: TimeInterval
    uses: Sequence[RouteUse]

    @cached_property
    def strip(self) -> Strip:
        """When it is on."""
        return strip_of(self.row.intervals, utc_now())

    @property
    def words(self) -> list[list[str]]:
        """Each of its intervals in words."""
        return [interval_words(each) for each in self.row.intervals]


@dataclass(frozen=True)
class IntervalListPage:
    """The intervals somebody may read."""

    scope: OrgScope

    @cached_property
    def rows(self) -> list[ShownInterval]:
        """Each with the routes that name it."""
        found = self.scope.access.filter(
            time_interval_list(org=self.scope.org), "timeintervals:read"
        )
        uses = interval_uses(org_id=self.scope.org.pk)
        return [ShownInterval(row, uses.get(row.name, ())) for row in found]

    @property
    def may_create(self) -> bool:
        """Return whether the user may add intervals."""
        return self.scope.can("timeintervals:create")


@dataclass(frozen=True)
class StripPage:
    """When intervals are on, saved or as they are typed; ``intervals`` is None for none yet."""

    scope: OrgScope
    intervals: Sequence[Mapping[str, Any]] | None
    errors: Errors | None = None

    @cached_property
    def strip(self) -> Strip | None:
        """The picture."""
        return None if self.intervals is None else strip_of(self.intervals, utc_now())


@dataclass(frozen=True)
class IntervalPage(StripPage):
    """One interval."""

    row: TimeInterval | None = None

    @property
    def words(self) -> list[list[str]]:
        """Each of its intervals in words."""
        return [interval_words(each) for each in self.intervals or ()]

    @cached_property
    def uses(self) -> list[RouteUse]:
        """The routes that name it."""
        name = self.row.name if self.row else ""
        return interval_uses(org_id=self.scope.org.pk).get(name, [])

    @property
    def may_route(self) -> bool:
        """Return whether the user may see the routing tree."""
        return self.scope.can("routingtrees:read")

    @property
    def may_update(self) -> bool:
        """Return whether the user may change it."""
        return self.scope.can("timeintervals:update", self.row)

    @property
    def may_delete(self) -> bool:
        """Return whether the user may delete it."""
        return self.scope.can("timeintervals:delete", self.row)


@org_page("timeintervals:read")
def interval_list(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Show the list."""
    return render_page(request, "notifications/interval_list.html", IntervalListPage(scope))


@org_page("timeintervals:read")
def interval_detail(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Show one interval."""
    row = _interval_of(scope, name, "timeintervals:read")
    page = IntervalPage(scope, row.intervals, row=row)
    return render_page(request, "notifications/interval_detail.html", page)


@org_page("timeintervals:create")
def interval_new(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Show the form of a new interval and take it."""
    return spec_create(request, scope, INTERVAL_EDITOR)


@org_page("timeintervals:update")
def interval_edit(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Show the form of an interval and take it."""
    row = _interval_of(scope, name, "timeintervals:update")
    return spec_edit(request, scope, INTERVAL_EDITOR, row)


@require_POST
@org_page("timeintervals:read")
def interval_preview(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Show when the interval as typed so far would be on."""
    draft = spec_draft(request, scope, INTERVAL_EDITOR)
    intervals = draft.spec["time_intervals"] if draft.spec else None
    return render_page(request, _STRIP, StripPage(scope, intervals, draft.errors))


@require_POST
@org_page("timeintervals:delete")
def interval_delete(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Delete an interval that no route names."""
    _interval_of(scope, name, "timeintervals:delete")
    resource_delete(INTERVAL_EDITOR.resource, org=scope.org, actor=scope.user, name=name)
    back = reverse(INTERVAL_EDITOR.list_route, args=[scope.org.name])
    return go_to(request, back, said=f"{name} is deleted.")


def _interval_of(scope: OrgScope, name: str, permission: str) -> TimeInterval:
    row = time_interval_get(org=scope.org, name=name)
    scope.access.require(permission, row)
    return row
