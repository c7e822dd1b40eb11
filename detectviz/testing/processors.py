"""The conformance suite of processors."""

import copy
import logging
from collections.abc import Callable, MutableMapping
from datetime import datetime
from typing import cast

import pytest

from detectviz.contracts.processor import Processor, ProcessorContext
from detectviz.contracts.records import RECORD_TYPES, Record, Signal
from detectviz.contracts.types import JsonObject, PluginKind
from detectviz.testing.plugins import built_in_plugins, checked_config
from detectviz.testing.records import NOW, RECORDS


def make_processor_context(
    name: str,
    config: JsonObject,
    *,
    memory: MutableMapping[str, object] | None = None,
    is_last: bool = False,
    now: Callable[[], datetime] = lambda: NOW,
) -> ProcessorContext:
    """Return the context the host would give the processor ``name``; the schema must agree."""
    return ProcessorContext(
        config=checked_config(PluginKind.PROCESSOR, name, config).config,
        memory={} if memory is None else memory,
        is_last=is_last,
        now=now,
        logger=logging.getLogger(f"tests.processors.{name}"),
    )


class ProcessorSuite:
    """What every processor must do. Subclass it, set ``name`` and a telling ``config``."""

    name = ""
    config: JsonObject = {}

    @pytest.fixture
    def processor(self) -> Processor:
        """Return the plugin, loaded as the host loads it."""
        return cast("Processor", built_in_plugins().load(PluginKind.PROCESSOR, self.name))

    def test_it_says_which_records_it_changes(self, processor: Processor) -> None:
        assert processor.signals
        assert all(isinstance(signal, Signal) for signal in processor.signals)

    def test_records_come_out_of_the_kind_that_went_in(self, processor: Processor) -> None:
        for signal in processor.signals:
            records = [RECORDS[signal](number) for number in range(20)]
            out = self._through(processor, records)
            assert all(isinstance(record, RECORD_TYPES[signal]) for record in out)

    def test_what_goes_in_is_not_changed_in_place(self, processor: Processor) -> None:
        for signal in processor.signals:
            records = [RECORDS[signal](number) for number in range(5)]
            before = copy.deepcopy(records)
            self._through(processor, records)
            assert records == before

    def test_the_same_records_give_the_same_answer(self, processor: Processor) -> None:
        for signal in processor.signals:
            records = [RECORDS[signal](number) for number in range(20)]
            assert self._through(processor, records) == self._through(processor, records)

    def test_batches_may_be_cut_anywhere(self, processor: Processor) -> None:
        for signal in processor.signals:
            records = [RECORDS[signal](number) for number in range(20)]
            whole = self._through(processor, records)
            assert sorted(map(repr, self._through(processor, records, size=3))) == sorted(
                map(repr, whole)
            )

    def test_no_records_are_no_trouble(self, processor: Processor) -> None:
        assert self._through(processor, []) == []

    def _through(
        self, processor: Processor, records: list[Record], *, size: int = 1_000
    ) -> list[Record]:
        memory: dict[str, object] = {}
        out: list[Record] = []
        for start in range(0, len(records), size):
            context = make_processor_context(self.name, self.config, memory=memory)
            out += processor.process(records[start : start + size], context)
        last = make_processor_context(self.name, self.config, memory=memory, is_last=True)
        return [*out, *processor.process([], last)]
