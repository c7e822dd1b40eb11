"""Exporters: one verb, ``write``. They write and read nothing."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from detectviz.contracts.batches import WriteReport
from detectviz.contracts.datasource import Connector, Instances
from detectviz.contracts.network import HttpClient
from detectviz.contracts.platform import Platform
from detectviz.contracts.records import Record, Signal
from detectviz.contracts.types import JsonObject


class Outputs(Protocol):
    """The files a run makes, for whoever may see the pipeline to take away."""

    def append(self, name: str, data: bytes, *, batch_id: str) -> None:
        """Add to the file ``name``, once for each ``batch_id``; raise PluginError when full."""

    def size(self, name: str) -> int:
        """Return how many bytes the file has, 0 when there is none yet."""

    def head(self, name: str) -> str:
        """Return its first line without the line end, empty when there is no file yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExporterContext:
    """Everything one call may use.

    ``batch_id`` is the same when a batch is written again after a failure: what can tell by it
    that it has the batch already writes it once. ``platform`` is the org's own data, given to
    plugins whose manifest asks for it.
    """

    config: JsonObject
    secrets: Mapping[str, str]
    timeout_s: float
    batch_id: str
    http: HttpClient
    connector: Connector
    instances: Instances
    outputs: Outputs
    now: Callable[[], datetime]
    logger: logging.Logger
    platform: Platform | None = None


class Exporter(Protocol):
    """An exporter plugin's capability class; constructed once per process, without arguments."""

    signals: frozenset[Signal]
    """What it can write."""

    def write(self, records: Sequence[Record], context: ExporterContext) -> WriteReport:
        """Write a batch, all of it or with the refused ones named.

        Raise PluginError when nothing was written; unless it is ``permanent`` the host tries again.
        """
