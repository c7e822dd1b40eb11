"""Processors: one verb, ``process``. They change records on their way, without the network."""

import logging
from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from detectviz.contracts.records import Record, Signal
from detectviz.contracts.types import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessorContext:
    """Everything one call may use.

    ``memory`` is this stage's own and lasts as long as its run (windows, what was seen before):
    bounded by the plugin. ``is_last`` is true for the call that ends a run, perhaps without
    records: what waits in a window goes out then.
    """

    config: JsonObject
    memory: MutableMapping[str, object]
    is_last: bool
    now: Callable[[], datetime]
    logger: logging.Logger


class Processor(Protocol):
    """A processor plugin's capability class; constructed once per process, without arguments."""

    signals: frozenset[Signal]
    """What it changes; other records pass by it."""

    def process(self, records: Sequence[Record], context: ProcessorContext) -> Sequence[Record]:
        """Return what goes on in place of ``records``; raise PluginError to stop the run."""
