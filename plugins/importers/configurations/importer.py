"""Manifests of monitors, rules, datasources and pipelines."""

from collections.abc import Iterator
from typing import Final

from detectviz.contracts.batches import Batch
from detectviz.contracts.importer import ImporterContext
from detectviz.contracts.manifest_files import manifest_batches
from detectviz.contracts.records import Signal

_KINDS: Final = {
    "Monitor": "monitoring/v1",
    "RuleGroup": "alerting/v1",
    "Datasource": "datasources/v1",
    "Pipeline": "plugins/v1",
}


class ConfigurationsImporter:
    """Reads the documents of one file."""

    signals = frozenset({Signal.RESOURCES})

    def read(self, context: ImporterContext) -> Iterator[Batch]:
        """Yield the documents after those stored; raise PluginError for what cannot be read."""
        yield from manifest_batches(context, _KINDS)
