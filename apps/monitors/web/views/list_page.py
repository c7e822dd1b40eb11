"""The list of monitors and what is done to many of them at once."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from django.http import HttpResponse, QueryDict
from django.views.decorators.http import require_POST

from apps.extensions.selectors import plugin_list
from apps.monitors.models import Monitor
from apps.monitors.selectors.monitors import (
    MonitorFilters,
    MonitorRow,
    monitor_count,
    monitor_queryset,
)
from apps.monitors.selectors.monitors import (
    monitor_list as monitor_rows,
)
from apps.monitors.services.bulk_actions import (
    monitors_delete,
    monitors_enable,
    monitors_label,
)
from apps.monitors.web.forms import labels_of, pairs_of
from apps.orgs.selectors import folder_list
from detectviz.clock import utc_now
from detectviz.contracts.types import CheckState, PluginKind
from detectviz.resources.errors import InvalidFieldsError, NotFoundError
from detectviz.web.heartbeats import Beat
from detectviz.web.pages import Pager, PageRequest, render_page, toast
from detectviz.web.scope import OrgScope, org_page
from detectviz.web.states import look_of

PER_PAGE = 50
STATES = ("down", "degraded", "unknown", "up", "paused")
_TABLE = "monitors/partials/_monitor_table.html"


@dataclass(frozen=True)
class MonitorListPage:
    """The list as asked for by the query string."""

    scope: OrgScope
    query: QueryDict

    @cached_property
    def filters(self) -> MonitorFilters:
        """What the query string asks for."""
        given = self.query.get
        return MonitorFilters(
            search=given("q", "").strip()[:200],
            states=frozenset(filter(None, [given("state", "")])),
            types=frozenset(filter(None, [given("type", "")])),
            folder=given("folder", ""),
            labels=tuple(pairs_of(given("label", ""))),
        )

    @cached_property
    def pager(self) -> Pager:
        """Where in the list the page stands."""
        return Pager.of(
            self.query, count=monitor_count(self.scope.access, self.filters), per_page=PER_PAGE
        )

    @cached_property
    def rows(self) -> tuple["ShownRow", ...]:
        """The monitors of this page of the list, broken ones first."""
        rows = monitor_rows(
            self.scope.access,
            self.filters,
            now=utc_now(),
            limit=PER_PAGE,
            offset=self.pager.offset,
        )
        return tuple(ShownRow(row) for row in rows)

    @property
    def is_filtered(self) -> bool:
        """Return whether an empty list is the filters' doing."""
        return self.filters != MonitorFilters()

    @property
    def states(self) -> tuple[tuple[str, str], ...]:
        """The states to filter by, as (name, label)."""
        return tuple((name, look_of(name).label) for name in STATES)

    @property
    def may_create(self) -> bool:
        """Return whether the user may add monitors."""
        return self.scope.can("monitors:create")

    @property
    def may_update(self) -> bool:
        """Return whether the user may select monitors to change them."""
        return self.scope.can("monitors:update")

    @property
    def may_delete(self) -> bool:
        """Return whether the user may delete monitors."""
        return self.scope.can("monitors:delete")

    @cached_property
    def types(self) -> tuple[tuple[str, str], ...]:
        """The collector types to filter by, as (name, title)."""
        return tuple(
            (each.name, each.manifest.title)
            for each in plugin_list(PluginKind.COLLECTOR)
            if each.manifest
        )

    @cached_property
    def folders(self) -> tuple[str, ...]:
        """The folders to filter by."""
        return tuple(folder.name for folder in folder_list(self.scope.org))


@dataclass(frozen=True)
class ShownRow:
    """One line of the list."""

    row: MonitorRow

    @property
    def monitor(self) -> Monitor:
        """The monitor itself."""
        return self.row.monitor

    @property
    def shown_state(self) -> str:
        """The state, or ``paused``."""
        return self.row.shown_state

    @property
    def uptime(self) -> float | None:
        """Uptime over 24 hours, as a share."""
        return self.row.uptime.ratio if self.row.uptime else None

    @property
    def sub(self) -> str:
        """The line below the title: what is wrong, else what is watched."""
        state = self.monitor.state
        if state.state != CheckState.UP.value and state.message:
            return state.message
        return f"{self.monitor.name} · {self.monitor.type}"

    @cached_property
    def beats(self) -> list[Beat]:
        """The heartbeat bar."""
        return [Beat(state=each.state.value, at=each.at) for each in self.row.recent]


@dataclass(frozen=True)
class MonitorRowPage:
    """One line of the list on its own."""

    scope: OrgScope
    row: ShownRow

    @property
    def may_update(self) -> bool:
        """Return whether the line has a box to select it."""
        return self.scope.can("monitors:update")


@org_page("monitors:read")
def monitor_list(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Show the list, or for HTMX the table."""
    page = MonitorListPage(scope, request.GET)
    return render_page(request, "monitors/monitor_list.html", page, fragment=_TABLE)


@org_page("monitors:read")
def monitor_row(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Show one line again after its monitor was checked."""
    filters = MonitorFilters(names=frozenset([name]))
    rows = monitor_rows(scope.access, filters, now=utc_now(), limit=1)
    if not rows:
        raise NotFoundError
    page = MonitorRowPage(scope, ShownRow(rows[0]))
    return render_page(request, "monitors/partials/_monitor_row_alone.html", page)


@require_POST
@org_page("monitors:update")
def monitor_bulk(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Do one thing to the chosen monitors and show the table again."""
    action = BULK_ACTIONS.get(request.POST.get("action", ""))
    if action is None:
        raise InvalidFieldsError({"action": ["Choose pause, resume, label or delete."]})
    permission, run = action
    wanted = monitor_queryset(scope.org).filter(name__in=request.POST.getlist("monitor"))
    chosen = tuple(scope.access.filter(wanted, permission))
    said = run(scope, chosen, request.POST)
    page = MonitorListPage(scope, request.POST)
    response = toast(render_page(request, _TABLE, page), said)
    response.headers["HX-Trigger-After-Swap"] = "bulk:done"
    return response


def _pause(scope: OrgScope, chosen: tuple[Monitor, ...], data: QueryDict) -> str:
    count = monitors_enable(org=scope.org, actor=scope.user, monitors=chosen, is_enabled=False)
    return f"Paused {count} of {len(chosen)}."


def _resume(scope: OrgScope, chosen: tuple[Monitor, ...], data: QueryDict) -> str:
    count = monitors_enable(org=scope.org, actor=scope.user, monitors=chosen, is_enabled=True)
    return f"Resumed {count} of {len(chosen)}."


def _label(scope: OrgScope, chosen: tuple[Monitor, ...], data: QueryDict) -> str:
    labels = labels_of(data.get("labels", ""))
    count = monitors_label(org=scope.org, actor=scope.user, monitors=chosen, labels=labels)
    return f"Labelled {count} of {len(chosen)}."


def _delete(scope: OrgScope, chosen: tuple[Monitor, ...], data: QueryDict) -> str:
    return f"Deleted {monitors_delete(org=scope.org, actor=scope.user, monitors=chosen)}."


BulkAction = Callable[[OrgScope, tuple[Monitor, ...], QueryDict], str]
BULK_ACTIONS: dict[str, tuple[str, BulkAction]] = {
    "pause": ("monitors:update", _pause),
    "resume": ("monitors:update", _resume),
    "label": ("monitors:update", _label),
    "delete": ("monitors:delete", _delete),
}
