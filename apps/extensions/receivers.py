"""What happens to plugins, told to the audit."""

from django.db import close_old_connections

from apps.extensions.services.refusals import refusal_record
from detectviz.pluginhost.refusals import Refusal, ledger


def on_plugin_refused(refusal: Refusal) -> None:
    """Write it down, in the ledger's own thread and so on a connection of its own."""
    close_old_connections()
    try:
        refusal_record(refusal=refusal)
    finally:
        close_old_connections()


ledger.listen(on_plugin_refused)
