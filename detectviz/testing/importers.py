"""The conformance suite of importers."""

import logging
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from typing import cast

import orjson
import pytest

from detectviz.contracts.batches import Batch
from detectviz.contracts.datasource import Connector
from detectviz.contracts.errors import PluginError
from detectviz.contracts.importer import Importer, ImporterContext
from detectviz.contracts.network import HttpClient
from detectviz.contracts.records import RECORD_TYPES, Record
from detectviz.contracts.types import JsonObject, JsonValue, PluginKind
from detectviz.testing.datasource_fakes import FakeConnector
from detectviz.testing.notifiers import FakeHttp
from detectviz.testing.plugins import built_in_plugins, checked_config
from detectviz.testing.records import NOW


def make_importer_context(
    name: str,
    config: JsonObject,
    secrets: dict[str, JsonValue] | None = None,
    *,
    http: HttpClient | None = None,
    connector: Connector | None = None,
    batch_size: int = 1_000,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> ImporterContext:
    """Return the context the host would give the importer ``name``; the schema must agree."""
    checked = checked_config(PluginKind.IMPORTER, name, config, secrets)
    return ImporterContext(
        config=checked.config,
        secrets=checked.secrets,
        timeout_s=10.0,
        batch_size=batch_size,
        cursor={},
        http=http or FakeHttp(),
        connector=connector or FakeConnector(),
        is_cancelled=is_cancelled,
        now=lambda: NOW,
        logger=logging.getLogger(f"tests.importers.{name}"),
    )


def records_of(batches: list[Batch]) -> list[Record]:
    """Return the records of all batches."""
    return [record for batch in batches for record in batch.records]


class ImporterSuite:
    """What every importer must do. Subclass it, set ``name`` and give the contexts.

    ``good_context`` leads to at least five records, ``bad_context`` to a system that refuses or
    isn't there. Put ``SECRET`` into a secret of both where there is one.
    """

    name = ""
    SECRET = "c4n4ry-t0k3n"

    @pytest.fixture
    def importer(self) -> Importer:
        """Return the plugin, loaded as the host loads it."""
        return cast("Importer", built_in_plugins().load(PluginKind.IMPORTER, self.name))

    @pytest.fixture
    def good_context(self) -> ImporterContext:
        """Return a context that leads to at least five records."""
        raise NotImplementedError

    @pytest.fixture
    def bad_context(self) -> ImporterContext:
        """Return a context that leads nowhere."""
        raise NotImplementedError

    def test_records_are_of_the_kinds_it_names(
        self, importer: Importer, good_context: ImporterContext
    ) -> None:
        records = records_of(list(importer.read(good_context)))
        assert len(records) >= 5
        allowed = tuple(RECORD_TYPES[signal] for signal in importer.signals)
        assert all(isinstance(record, allowed) for record in records)

    def test_batches_have_the_size_asked_for(
        self, importer: Importer, good_context: ImporterContext
    ) -> None:
        batches = list(importer.read(replace(good_context, batch_size=2)))
        assert len(batches) > 1
        assert all(len(batch.records) <= 2 for batch in batches)

    def test_a_run_goes_on_after_every_batch(
        self, importer: Importer, good_context: ImporterContext
    ) -> None:
        context = replace(good_context, batch_size=2)
        whole = records_of(list(importer.read(context)))
        for stop in range(1, len(list(importer.read(context)))):
            first = list(islice(importer.read(context), stop))
            stored: JsonObject = orjson.loads(orjson.dumps(first[-1].cursor))
            rest = records_of(list(importer.read(replace(context, cursor=stored))))
            assert [*records_of(first), *rest] == whole

    def test_a_total_is_true(self, importer: Importer, good_context: ImporterContext) -> None:
        batches = list(importer.read(good_context))
        found = sum(len(batch.records) + len(batch.errors) for batch in batches)
        assert {batch.total for batch in batches} <= {None, found}

    def test_a_refusal_is_a_typed_error_that_keeps_the_secret(
        self, importer: Importer, bad_context: ImporterContext, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.DEBUG), pytest.raises(PluginError) as refused:
            list(importer.read(bad_context))
        assert refused.value.message
        assert self.SECRET not in f"{refused.value!r} {refused.value.message} {caplog.text}"

    def test_who_cancels_gets_no_more(
        self, importer: Importer, good_context: ImporterContext
    ) -> None:
        context = replace(good_context, batch_size=1, is_cancelled=lambda: True)
        assert len(records_of(list(importer.read(context)))) <= 1
