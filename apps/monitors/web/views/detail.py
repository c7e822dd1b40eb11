"""One monitor: how it is, how it was, and doing something about it now."""

from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Any

from django.conf import settings
from django.http import HttpResponse, JsonResponse
from django.urls import reverse
from django.views.decorators.http import require_POST

from apps.extensions.selectors import plugin_manifest
from apps.monitors.models import Heartbeat, Monitor, StateChange
from apps.monitors.selectors.dependencies import FailedParent, failed_parents
from apps.monitors.selectors.maintenance import Maintenance, maintenance_of
from apps.monitors.selectors.monitors import (
    heartbeat_get,
    last_failure,
    monitor_get,
    state_change_get,
    state_history,
)
from apps.monitors.selectors.recent import recent_read
from apps.monitors.selectors.uptime import uptime_list
from apps.monitors.services.bulk_actions import monitors_enable
from apps.monitors.services.heartbeats import heartbeat_rotate
from apps.monitors.services.probes import monitor_run
from apps.monitors.services.samples import instance_of
from apps.monitors.web.views.response import RANGES, response_chart
from detectviz.clock import utc_now
from detectviz.contracts.manifest import Manifest
from detectviz.contracts.types import PluginKind
from detectviz.pluginhost.errors import PluginHostError
from detectviz.resources.services import resource_act
from detectviz.tsdb.interface import StoreError
from detectviz.web.charts import chart_problem
from detectviz.web.heartbeats import Beat
from detectviz.web.pages import PageRequest, go_to, render_page
from detectviz.web.scope import OrgScope, org_page
from detectviz.web.states import look_of
from detectviz.web.templatetags.web import duration
from detectviz.web.writes import kind_of

_SUMMARY = "monitors/partials/_monitor_summary.html"
_CERTIFICATE_SOON = timedelta(days=21)
_HISTORY = 20
_GOOD, _FAIR = 0.999, 0.99


@dataclass(frozen=True)
class UptimeTile:
    """Uptime over one window."""

    label: str
    ratio: float | None
    down_s: float

    @property
    def title(self) -> str:
        """The tile's heading."""
        return f"Uptime {self.label}"

    @property
    def hint(self) -> str:
        """How long it was down."""
        return f"{duration(self.down_s)} down" if self.down_s else ""

    @property
    def tone(self) -> str:
        """The colour class: good from three nines, fair from two."""
        if self.ratio is None:
            return ""
        return (
            "is-up" if self.ratio >= _GOOD else "is-degraded" if self.ratio >= _FAIR else "is-down"
        )


@dataclass(frozen=True)
class MonitorDetailPage:
    """Everything the page of one monitor shows; asked for as it is shown."""

    scope: OrgScope
    monitor: Monitor

    @property
    def shown_state(self) -> str:
        """The state, ``paused``, or ``maintenance`` while nothing is checked."""
        if not self.monitor.is_enabled:
            return "paused"
        is_held = any(not each.is_collecting for each in self.maintenances)
        return "maintenance" if is_held else self.monitor.state.state

    @cached_property
    def maintenances(self) -> list[Maintenance]:
        """The maintenance windows it is in now."""
        found = maintenance_of(self.scope.org, [self.monitor.pk], utc_now())
        return found.get(self.monitor.pk, [])

    @property
    def verdict(self) -> str:
        """The state in a sentence."""
        state = self.monitor.state
        if self.monitor.is_enabled and state.last_check_at is None:
            return "Waiting for the first check"
        look = look_of(self.shown_state).label
        told = f"{look}, in maintenance" if self.monitor.is_in_maintenance else look
        if not self.monitor.is_enabled:
            return told
        return f"{told} for {duration((utc_now() - state.since).total_seconds())}"

    @cached_property
    def failed_parents(self) -> list[FailedParent]:
        """What it depends on that is down."""
        if not self.monitor.depends_on:
            return []
        found = failed_parents(self.scope.org, [self.monitor.name])
        return found.get(self.monitor.name, [])

    @property
    def last_hint(self) -> str:
        """How many checks failed in a row."""
        failures = self.monitor.state.consecutive_failures
        return f"{failures} failed in a row" if failures else ""

    @property
    def target(self) -> str:
        """What is watched, without credentials, as the label ``instance`` has it."""
        schema = self._manifest.config_schema if self._manifest else {}
        return instance_of(schema, self.monitor.config)

    @property
    def type_title(self) -> str:
        """The title of the collector plugin."""
        return self._manifest.title if self._manifest else self.monitor.type

    @cached_property
    def _manifest(self) -> Manifest | None:
        try:
            return plugin_manifest(PluginKind.COLLECTOR, self.monitor.type)
        except PluginHostError:
            return None

    @property
    def ranges(self) -> tuple[str, ...]:
        """The ranges the chart offers."""
        return tuple(RANGES)

    @cached_property
    def beats(self) -> list[Beat]:
        """The heartbeat bar."""
        recent = recent_read(self.monitor.state.recent)
        return [Beat(state=each.state.value, at=each.at) for each in recent]

    @cached_property
    def uptimes(self) -> list[UptimeTile]:
        """Uptime over 24 h, 7 d, 30 d and 90 d."""
        found = uptime_list(self.scope.org, monitors=[self.monitor.pk], now=utc_now())
        return [
            UptimeTile(label=label, ratio=uptime.ratio, down_s=uptime.down_s)
            for label, uptime in found.get(self.monitor.pk, {}).items()
        ]

    @cached_property
    def changes(self) -> tuple[StateChange, ...]:
        """The latest transitions."""
        return state_history(self.monitor, limit=_HISTORY)

    @cached_property
    def failure(self) -> StateChange | None:
        """The newest transition away from up, with its evidence."""
        return last_failure(self.monitor)

    @cached_property
    def heartbeat(self) -> Heartbeat | None:
        """What a push monitor has heard."""
        return heartbeat_get(self.monitor)

    @property
    def push_url(self) -> str:
        """The address to push to, for those who may edit the monitor."""
        if self.heartbeat is None or not self.scope.can("monitors:update", self.monitor):
            return ""
        path = f"/orgs/{self.scope.org.name}/push/{self.heartbeat.token['token']}"
        return f"{settings.EXTERNAL_URL}{path}"

    @property
    def is_certificate_ending(self) -> bool:
        """Return whether the certificate ends within three weeks."""
        ends_at = self.monitor.state.certificate_expires_at
        return ends_at is not None and ends_at - utc_now() < _CERTIFICATE_SOON

    @property
    def may_update(self) -> bool:
        """Return whether the user may edit, pause and resume."""
        return self.scope.can("monitors:update", self.monitor)

    @property
    def may_delete(self) -> bool:
        """Return whether the user may delete."""
        return self.scope.can("monitors:delete", self.monitor)

    @property
    def may_run(self) -> bool:
        """Return whether the user may run a check."""
        return self.scope.can("monitors:execute", self.monitor)


def monitor_of(scope: OrgScope, name: str, permission: str) -> Monitor:
    """Return the monitor, if the user holds ``permission`` on it."""
    monitor = monitor_get(scope.org, name)
    scope.access.require(permission, monitor)
    return monitor


@org_page("monitors:read")
def monitor_detail(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Show one monitor, or for HTMX everything that moves."""
    page = MonitorDetailPage(scope, monitor_of(scope, name, "monitors:read"))
    return render_page(request, "monitors/monitor_detail.html", page, fragment=_SUMMARY)


@org_page("monitors:read")
def monitor_history(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Show history, evidence and facts again after a change."""
    page = MonitorDetailPage(scope, monitor_of(scope, name, "monitors:read"))
    return render_page(request, "monitors/partials/_monitor_history.html", page)


@org_page("monitors:read")
def monitor_response(request: PageRequest, scope: OrgScope, *, name: str) -> JsonResponse:
    """Answer the response-time chart."""
    monitor = monitor_of(scope, name, "monitors:read")
    try:
        return response_chart(
            scope.org, monitor, range_name=request.GET.get("range", ""), now=utc_now()
        ).response()
    except StoreError as error:
        return chart_problem(f"The series store does not answer: {error}", status=503)


@org_page("monitors:read")
def state_change(request: PageRequest, scope: OrgScope, *, name: str, key: int) -> HttpResponse:
    """Show the evidence of one transition."""
    monitor = monitor_of(scope, name, "monitors:read")
    shown = {"monitor": monitor, "change": state_change_get(monitor, key)}
    return render_page(request, "monitors/partials/_monitor_change.html", shown)


@require_POST
@org_page("monitors:execute")
def monitor_run_now(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Check once, now, and show what was found; the state stays as it is."""
    monitor = monitor_of(scope, name, "monitors:execute")
    shown: dict[str, Any] = {"probe": monitor_run(monitor=monitor)}
    return render_page(request, "monitors/partials/_monitor_probe.html", shown)


@require_POST
@org_page("monitors:update")
def monitor_enable(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Pause or resume."""
    monitor = monitor_of(scope, name, "monitors:update")
    wanted = request.POST.get("enabled") == "true"
    monitors_enable(org=scope.org, actor=scope.user, monitors=[monitor], is_enabled=wanted)
    target = reverse("monitors:monitor-detail", args=[scope.org.name, name])
    return go_to(request, target, said=f"{name} is {'checked again' if wanted else 'paused'}.")


@require_POST
@org_page("monitors:update")
def monitor_rotate(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Give a push monitor a new address."""
    resource_act(
        kind_of("monitoring/v1", "Monitor"),
        org=scope.org,
        actor=scope.user,
        name=monitor_of(scope, name, "monitors:update").name,
        verb="rotate-token",
        act=lambda monitor: heartbeat_rotate(monitor=monitor),
    )
    target = reverse("monitors:monitor-detail", args=[scope.org.name, name])
    return go_to(request, target, said="There is a new address. The old one no longer works.")
