"""Importers: one verb, ``read``. They read and write nothing."""

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from detectviz.contracts.batches import Batch
from detectviz.contracts.datasource import Connector
from detectviz.contracts.network import HttpClient
from detectviz.contracts.platform import Platform
from detectviz.contracts.records import Signal
from detectviz.contracts.types import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class ImporterContext:
    """Everything one run may use.

    ``cursor`` is that of the last batch the host has stored, empty at the beginning: a run that
    ended before its time goes on there. ``is_cancelled`` is to be asked between batches.
    ``platform`` is the org's own data, given to plugins whose manifest asks for it.
    """

    config: JsonObject
    secrets: Mapping[str, str]
    timeout_s: float
    batch_size: int
    cursor: JsonObject
    http: HttpClient
    connector: Connector
    is_cancelled: Callable[[], bool]
    now: Callable[[], datetime]
    logger: logging.Logger
    platform: Platform | None = None


class Importer(Protocol):
    """An importer plugin's capability class; constructed once per process, without arguments."""

    signals: frozenset[Signal]
    """What it can read."""

    def read(self, context: ImporterContext) -> Iterator[Batch]:
        """Yield all there is from ``context.cursor`` on; raise PluginError when it can't be read.

        One wrong record is an error of its batch, not an exception.
        """
