"""What happens to plugins, told to the audit; what happens elsewhere, told to plugins."""

from functools import partial

from django.db import close_old_connections, transaction

from apps.extensions.services.hearing import event_hand_over, event_is_heard
from apps.extensions.services.refusals import refusal_record
from apps.orgs.selectors import org_get_by_id
from detectviz.contracts.lifecycle import PluginEvent
from detectviz.events.integration import EVENT_TYPES
from detectviz.events.subscribers import IntegrationEvent, consumes
from detectviz.pluginhost.refusals import Refusal, ledger


def on_plugin_refused(refusal: Refusal) -> None:
    """Write it down, in the ledger's own thread and so on a connection of its own."""
    close_old_connections()
    try:
        refusal_record(refusal=refusal)
    finally:
        close_old_connections()


ledger.listen(on_plugin_refused)


@consumes("plugins", [each.name for each in EVENT_TYPES], is_wanted=event_is_heard)
def on_integration_event(event: IntegrationEvent) -> None:
    """Hand it to the plugins once this is committed."""
    told = PluginEvent(
        uid=event.uid,
        type=event.type,
        version=event.version,
        subject=event.subject,
        org=org_get_by_id(event.org_id).name,
        data=event.data,
        at=event.at,
    )
    transaction.on_commit(partial(event_hand_over, event=told))
