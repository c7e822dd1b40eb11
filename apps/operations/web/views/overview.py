"""What is broken now, and how the system itself is."""

from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

from django.http import HttpResponse

from apps.alerting.models import Alert
from apps.alerting.selectors import alert_counts, alert_open_list
from apps.extensions.selectors import plugin_list
from apps.monitors.models import Monitor, StateChange
from apps.monitors.selectors.monitors import (
    OverviewCounts,
    broken_list,
    certificate_list,
    overview_counts,
    state_change_list,
)
from detectviz.clock import utc_now
from detectviz.observability.health import HealthReport, health_report
from detectviz.pluginhost.description import PluginDescription
from detectviz.runtime.models import ProcessHeartbeat
from detectviz.runtime.processes import heartbeat_list
from detectviz.web.pages import PageRequest, render_page
from detectviz.web.scope import OrgScope, org_page

CERTIFICATES_WITHIN = timedelta(days=21)
_BROKEN, _CHANGES = 20, 12


@dataclass(frozen=True)
class OverviewPage:
    """What needs attention now, and what happened lately."""

    scope: OrgScope

    @cached_property
    def counts(self) -> OverviewCounts:
        """Monitors by state."""
        return overview_counts(self.scope.access, now=utc_now())

    @cached_property
    def broken(self) -> tuple[Monitor, ...]:
        """What is down, degraded or unknown, worst and longest first."""
        return broken_list(self.scope.access, limit=_BROKEN)

    @cached_property
    def alert_counts(self) -> dict[str, int]:
        """Alerts by state."""
        return alert_counts(self.scope.org) if self.may_read_alerts else {}

    @cached_property
    def alerts(self) -> list[Alert]:
        """Firing and pending alerts."""
        if not self.may_read_alerts:
            return []
        wanted = alert_open_list(self.scope.org)
        return list(self.scope.access.filter(wanted, "alerts:read")[:_BROKEN])

    @cached_property
    def changes(self) -> tuple[StateChange, ...]:
        """The latest transitions."""
        return state_change_list(self.scope.access, limit=_CHANGES)

    @cached_property
    def certificates(self) -> tuple[Monitor, ...]:
        """Certificates that end soon."""
        return certificate_list(self.scope.access, before=utc_now() + CERTIFICATES_WITHIN, limit=5)

    @property
    def state(self) -> str:
        """The worst state there is."""
        if self.counts.down:
            return "down"
        if self.counts.degraded or self.alert_counts.get("firing"):
            return "degraded"
        return "up" if self.counts.up else "unknown"

    @property
    def verdict(self) -> str:
        """The situation in a sentence."""
        if self.counts.down:
            return f"{_count(self.counts.down, 'monitor is', 'monitors are')} down"
        if self.counts.degraded:
            return f"{_count(self.counts.degraded, 'monitor is', 'monitors are')} degraded"
        if self.alert_counts.get("firing"):
            return f"{_count(self.alert_counts['firing'], 'alert is', 'alerts are')} firing"
        return "Everything is up" if self.counts.up else "Waiting for the first results"

    @property
    def verdict_text(self) -> str:
        """What else there is to know."""
        firing = self.alert_counts.get("firing", 0)
        parts = [
            _count(self.counts.degraded, "degraded", "degraded") if self.counts.down else "",
            _count(firing, "alert firing", "alerts firing"),
            _count(self.counts.maintenance, "in maintenance", "in maintenance"),
        ]
        return ", ".join(part for part in parts if part and not part.startswith("0 "))

    @property
    def may_create(self) -> bool:
        """Return whether the user may add monitors."""
        return self.scope.can("monitors:create")

    @property
    def may_read_alerts(self) -> bool:
        """Return whether the user may read alerts."""
        return self.scope.can("alerts:read")


@dataclass(frozen=True)
class SystemHealthPage:
    """Whether everything this deployment needs answers."""

    scope: OrgScope

    @cached_property
    def report(self) -> HealthReport:
        """Every component, asked now."""
        return health_report()

    @cached_property
    def processes(self) -> list[ProcessHeartbeat]:
        """The processes that are alive."""
        return heartbeat_list(utc_now())

    @cached_property
    def plugins(self) -> tuple[PluginDescription, ...]:
        """Every plugin, broken ones too."""
        return plugin_list()

    @property
    def verdict(self) -> str:
        """The situation in a sentence."""
        failing = [each.name for each in self.report.components if not each.is_ok]
        return f"Not ready: {', '.join(failing)}" if failing else "Everything answers"


@org_page()
def overview(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Show what is broken now, or for HTMX the same without its frame."""
    page = OverviewPage(scope)
    return render_page(
        request, "operations/overview.html", page, fragment="operations/partials/_overview.html"
    )


@org_page("system:read")
def system_health(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Show how the system itself is."""
    page = SystemHealthPage(scope)
    return render_page(
        request,
        "operations/system_health.html",
        page,
        fragment="operations/partials/_system_health.html",
    )


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
