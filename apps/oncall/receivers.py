"""React to what notifications and people do."""

from apps.oncall.services.escalations import group_escalate, runs_wake
from apps.oncall.services.subscriptions import subscription_retire
from detectviz.events.bus import subscribe
from detectviz.events.types import AlertGroupFlushed, AlertHandled, ReceiverGone


@subscribe(AlertGroupFlushed)
def on_alert_group_flushed(event: AlertGroupFlushed) -> None:
    """Begin, widen or end the group's escalation."""
    group_escalate(event=event)


@subscribe(AlertHandled)
def on_alert_handled(event: AlertHandled) -> None:
    """Stop or go on at once."""
    runs_wake(event=event)


@subscribe(ReceiverGone)
def on_receiver_gone(event: ReceiverGone) -> None:
    """Tell nobody in a browser that has left."""
    subscription_retire(event=event)
