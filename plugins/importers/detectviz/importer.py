"""The organisation's own data as records."""

from collections.abc import Iterator

from detectviz.contracts.batches import Batch
from detectviz.contracts.config import get_text
from detectviz.contracts.errors import PluginError
from detectviz.contracts.importer import ImporterContext
from detectviz.contracts.records import Signal


class DetectvizImporter:
    """Asks the platform."""

    signals = frozenset({Signal.METRICS, Signal.ALERTS, Signal.EVENTS, Signal.RESOURCES})

    def read(self, context: ImporterContext) -> Iterator[Batch]:
        """Yield what the configuration selects; raise PluginError when it can't be read."""
        if context.platform is None:
            raise PluginError("The host gives this plugin no platform.", permanent=True)
        batches = context.platform.read(
            Signal(get_text(context.config, "signal", "metrics")),
            context.config,
            cursor=context.cursor,
            batch_size=context.batch_size,
        )
        for batch in batches:
            yield batch
            if context.is_cancelled():
                return
