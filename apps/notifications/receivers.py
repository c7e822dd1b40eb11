"""What this app does when others say something."""

from apps.notifications.services.bootstrap import org_prepare
from apps.notifications.services.delivery import deliveries_release
from apps.notifications.services.inbox import alert_receive
from detectviz.events.bus import subscribe
from detectviz.events.types import AlertChanged, OrgCreated, SoleWorkerStarts


@subscribe(AlertChanged)
def on_alert_changed(event: AlertChanged) -> None:
    """Take the alert into the inbox."""
    alert_receive(event=event)


@subscribe(OrgCreated)
def on_org_created(event: OrgCreated) -> None:
    """Give the new org its routing tree."""
    org_prepare(org_id=event.org_id)


@subscribe(SoleWorkerStarts)
def on_sole_worker_starts(event: SoleWorkerStarts) -> None:
    """Have deliveries tried again that were under way."""
    deliveries_release()
