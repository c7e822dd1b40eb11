"""The conformance suite of exporters."""

import logging
from dataclasses import replace
from typing import cast

import pytest

from detectviz.contracts.datasource import Connector, Instances
from detectviz.contracts.errors import PluginError
from detectviz.contracts.exporter import Exporter, ExporterContext, Outputs
from detectviz.contracts.network import HttpClient
from detectviz.contracts.records import Record
from detectviz.contracts.types import JsonObject, JsonValue, PluginKind
from detectviz.testing.datasource_fakes import FakeConnector, MemoryInstances
from detectviz.testing.notifiers import FakeHttp
from detectviz.testing.plugins import built_in_plugins, checked_config
from detectviz.testing.records import NOW, RECORDS


class MemoryOutputs:
    """contracts' Outputs, kept in memory."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self._seen: set[tuple[str, str]] = set()

    def append(self, name: str, data: bytes, *, batch_id: str) -> None:
        """Add to a file once for each batch."""
        if (name, batch_id) not in self._seen:
            self._seen.add((name, batch_id))
            self.files[name] = self.files.get(name, b"") + data

    def size(self, name: str) -> int:
        """Return how many bytes the file has."""
        return len(self.files.get(name, b""))

    def head(self, name: str) -> str:
        """Return its first line."""
        return self.files.get(name, b"").split(b"\n", 1)[0].decode().rstrip("\r")


def make_exporter_context(
    name: str,
    config: JsonObject,
    secrets: dict[str, JsonValue] | None = None,
    *,
    http: HttpClient | None = None,
    connector: Connector | None = None,
    instances: Instances | None = None,
    outputs: Outputs | None = None,
    batch_id: str = "batch-1",
) -> ExporterContext:
    """Return the context the host would give the exporter ``name``; the schema must agree."""
    checked = checked_config(PluginKind.EXPORTER, name, config, secrets)
    return ExporterContext(
        config=checked.config,
        secrets=checked.secrets,
        timeout_s=10.0,
        batch_id=batch_id,
        http=http or FakeHttp(),
        connector=connector or FakeConnector(),
        instances=instances or MemoryInstances(),
        outputs=outputs or MemoryOutputs(),
        now=lambda: NOW,
        logger=logging.getLogger(f"tests.exporters.{name}"),
    )


class ExporterSuite:
    """What every exporter must do. Subclass it, set ``name``, give the contexts and ``stored``.

    ``good_context`` leads to a system that takes records, ``bad_context`` to one that refuses all
    or isn't there. Put ``SECRET`` into a secret of both where there is one.
    """

    name = ""
    SECRET = "c4n4ry-t0k3n"

    @pytest.fixture
    def exporter(self) -> Exporter:
        """Return the plugin, loaded as the host loads it."""
        return cast("Exporter", built_in_plugins().load(PluginKind.EXPORTER, self.name))

    @pytest.fixture
    def good_context(self) -> ExporterContext:
        """Return a context whose system takes records."""
        raise NotImplementedError

    @pytest.fixture
    def bad_context(self) -> ExporterContext:
        """Return a context whose system refuses."""
        raise NotImplementedError

    def stored(self) -> int:
        """Return how many records the system behind ``good_context`` has by now."""
        raise NotImplementedError

    def test_what_is_written_arrives(
        self, exporter: Exporter, good_context: ExporterContext
    ) -> None:
        for signal in sorted(exporter.signals):
            before = self.stored()
            records = [RECORDS[signal](number) for number in range(7)]
            context = replace(good_context, batch_id=f"batch-{signal}")
            report = exporter.write(records, context)
            assert (report.written, report.errors) == (7, ())
            assert self.stored() - before == 7

    def test_an_empty_batch_is_no_trouble(
        self, exporter: Exporter, good_context: ExporterContext
    ) -> None:
        nothing: list[Record] = []
        assert exporter.write(nothing, good_context).written == 0

    def test_a_refusal_is_a_typed_error_that_keeps_the_secret(
        self, exporter: Exporter, bad_context: ExporterContext, caplog: pytest.LogCaptureFixture
    ) -> None:
        signal = min(exporter.signals)
        with caplog.at_level(logging.DEBUG), pytest.raises(PluginError) as refused:
            exporter.write([RECORDS[signal](1)], bad_context)
        assert refused.value.message
        assert self.SECRET not in f"{refused.value!r} {refused.value.message} {caplog.text}"
