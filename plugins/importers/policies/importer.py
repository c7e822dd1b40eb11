"""Manifests of who is told of what."""

from collections.abc import Iterator
from typing import Final

from detectviz.contracts.batches import Batch
from detectviz.contracts.importer import ImporterContext
from detectviz.contracts.manifest_files import manifest_batches
from detectviz.contracts.records import Signal

_KINDS: Final = {
    "ContactPoint": "notifications/v1",
    "RoutingTree": "notifications/v1",
}


class PoliciesImporter:
    """Reads the documents of one file."""

    signals = frozenset({Signal.RESOURCES})

    def read(self, context: ImporterContext) -> Iterator[Batch]:
        """Yield the documents after those stored; raise PluginError for what cannot be read."""
        yield from manifest_batches(context, _KINDS)
