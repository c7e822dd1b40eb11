"""What goes outside is written to the outbox, in the publisher's transaction."""

from collections.abc import Sequence

from detectviz.events.bus import subscribe_batches
from detectviz.events.services import outbox_add
from detectviz.events.types import AlertChanged, MonitorStateChanged, ResourceChanged


@subscribe_batches(MonitorStateChanged)
def on_monitor_state_changed(events: Sequence[MonitorStateChanged]) -> None:
    """Keep them for the bus."""
    outbox_add(events=events)


@subscribe_batches(AlertChanged)
def on_alert_changed(events: Sequence[AlertChanged]) -> None:
    """Keep them for the bus."""
    outbox_add(events=events)


@subscribe_batches(ResourceChanged)
def on_resource_changed(events: Sequence[ResourceChanged]) -> None:
    """Keep them for the bus."""
    outbox_add(events=events)
