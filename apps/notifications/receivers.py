"""What this app does when others say something."""

from collections.abc import Sequence

from apps.alerting.services.rule_quality import told_source_register
from apps.notifications.services.bootstrap import org_prepare
from apps.notifications.services.delivery_leases import (
    deliveries_release,
    deliveries_release_gone,
)
from apps.notifications.services.inbox import alerts_receive
from apps.notifications.services.prompt import org_refresh
from apps.notifications.services.rule_feedback import alerts_told
from detectviz.events.bus import subscribe, subscribe_batches
from detectviz.events.types import (
    AlertChanged,
    MaintenanceChanged,
    OrgCreated,
    SoleWorkerStarts,
    WorkerStarts,
)

told_source_register(alerts_told)


@subscribe_batches(AlertChanged)
def on_alert_changed(events: Sequence[AlertChanged]) -> None:
    """Take the alerts into the inbox."""
    alerts_receive(events=events)


@subscribe(OrgCreated)
def on_org_created(event: OrgCreated) -> None:
    """Give the new org its routing tree."""
    org_prepare(org_id=event.org_id)


@subscribe(MaintenanceChanged)
def on_maintenance_changed(event: MaintenanceChanged) -> None:
    """Show at once what is held back now, and what no longer is."""
    org_refresh(org_id=event.org_id, now=event.at)


@subscribe(SoleWorkerStarts)
def on_sole_worker_starts(event: SoleWorkerStarts) -> None:
    """Have deliveries tried again that were under way."""
    deliveries_release()


@subscribe(WorkerStarts)
def on_worker_starts(event: WorkerStarts) -> None:
    """Have deliveries tried again that a killed worker of this machine had under way."""
    deliveries_release_gone()
