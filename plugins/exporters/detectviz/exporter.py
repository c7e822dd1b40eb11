"""Records into the organisation itself."""

from collections.abc import Sequence

from detectviz.contracts.batches import WriteReport
from detectviz.contracts.errors import PluginError
from detectviz.contracts.exporter import ExporterContext
from detectviz.contracts.records import Record, Signal


class DetectvizExporter:
    """Hands samples and resources to the platform."""

    signals = frozenset({Signal.METRICS, Signal.RESOURCES})

    def write(self, records: Sequence[Record], context: ExporterContext) -> WriteReport:
        """Write a batch; raise PluginError when it can't be."""
        if context.platform is None:
            raise PluginError("The host gives this plugin no platform.", permanent=True)
        return context.platform.write(records, batch_id=context.batch_id)
