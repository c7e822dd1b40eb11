"""Manifests of people, teams and roles."""

from collections.abc import Iterator
from typing import Final

from detectviz.contracts.batches import Batch
from detectviz.contracts.importer import ImporterContext
from detectviz.contracts.manifest_files import manifest_batches
from detectviz.contracts.records import Signal

_KINDS: Final = {
    "User": "core/v1",
    "Team": "core/v1",
    "Role": "core/v1",
    "ServiceAccount": "core/v1",
    "RoleBinding": "core/v1",
}


class UsersImporter:
    """Reads the documents of one file."""

    signals = frozenset({Signal.RESOURCES})

    def read(self, context: ImporterContext) -> Iterator[Batch]:
        """Yield the documents after those stored; raise PluginError for what cannot be read."""
        yield from manifest_batches(context, _KINDS)
