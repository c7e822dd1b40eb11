"""Manifests of the outline of an organisation."""

from collections.abc import Iterator
from typing import Final

from detectviz.contracts.batches import Batch
from detectviz.contracts.importer import ImporterContext
from detectviz.contracts.manifest_files import manifest_batches
from detectviz.contracts.records import Signal

_KINDS: Final = {
    "Folder": "core/v1",
    "Quota": "core/v1",
}


class OrganisationsImporter:
    """Reads the documents of one file."""

    signals = frozenset({Signal.RESOURCES})

    def read(self, context: ImporterContext) -> Iterator[Batch]:
        """Yield the documents after those stored; raise PluginError for what cannot be read."""
        yield from manifest_batches(context, _KINDS)
