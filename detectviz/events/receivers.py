"""What goes outside is written to the outbox, in the publisher's transaction."""

from detectviz.events.bus import subscribe
from detectviz.events.services import outbox_add
from detectviz.events.types import AlertChanged, MonitorStateChanged, ResourceChanged


@subscribe(MonitorStateChanged)
def on_monitor_state_changed(event: MonitorStateChanged) -> None:
    """Keep it for the bus."""
    outbox_add(event=event)


@subscribe(AlertChanged)
def on_alert_changed(event: AlertChanged) -> None:
    """Keep it for the bus."""
    outbox_add(event=event)


@subscribe(ResourceChanged)
def on_resource_changed(event: ResourceChanged) -> None:
    """Keep it for the bus."""
    outbox_add(event=event)
