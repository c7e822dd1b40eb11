"""The conformance suite of collectors: every collector's tests subclass it.

class TestConformance(CollectorConformance):
    name = "http"
    configs = ({"url": "http://127.0.0.1/"},)
"""

import asyncio
import json
import logging
import re
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Final

import pytest

from detectviz.collection.checks import ScheduledCheck
from detectviz.collection.once import run_check
from detectviz.contracts.collector import CheckResult, Collector, CollectorContext, Heartbeat
from detectviz.contracts.discovery import Discoverer
from detectviz.contracts.errors import PluginError
from detectviz.contracts.manifest import Manifest
from detectviz.contracts.types import CheckState, JsonObject, PluginKind
from detectviz.pluginhost.configuration import fill_defaults, validate
from detectviz.pluginhost.schema import secret_paths, walk_properties
from detectviz.testing.networks import BadNetwork, Misbehaviour, every_misbehaviour
from detectviz.testing.plugins import built_in_plugins

MAX_EVIDENCE_BYTES: Final = 65_536
MAX_MESSAGE: Final = 1_000
CANARY: Final = "canary-9f31b2-"
TIMEOUT_S: Final = 1.0
_METRIC_NAME: Final = re.compile(r"^[a-zA-Z_:][a-zA-Z0-9_:]*$")  # noqa: TID251 - our own constant
_LABEL_NAME: Final = re.compile(r"^[a-zA-Z_][a-zA-Z0-9_]*$")  # noqa: TID251 - our own constant
# Written by the host; a plugin that writes them too would double them.
_HOSTS_METRICS: Final = frozenset({"probe_success", "probe_duration_seconds", "probe_state"})


def heartbeat() -> Heartbeat:
    """Return a heartbeat that was heard recently."""
    now = datetime.now(UTC)
    return Heartbeat(since=now - timedelta(days=1), last_success_at=now - timedelta(seconds=5))


class CollectorConformance:
    """Subclass as ``Test…`` and say which plugin and which configurations."""

    name: ClassVar[str]
    configs: ClassVar[Sequence[JsonObject]]
    # What a collector that chooses a discovery is told; None for the others.
    discoverer: ClassVar[Discoverer | None] = None

    # --- what a test may ask ----------------------------------------------------------------

    @property
    def manifest(self) -> Manifest:
        """The plugin's manifest."""
        return built_in_plugins().manifest(PluginKind.COLLECTOR, self.name)

    def collector(self) -> Collector:
        """Load the plugin as the host does."""
        return built_in_plugins().load(PluginKind.COLLECTOR, self.name)

    def secrets(self) -> dict[str, str]:
        """Return a recognisable value for every secret the schema knows."""
        paths = secret_paths(self.manifest.config_schema)
        return {"/".join(path): f"{CANARY}{'-'.join(path)}" for path in paths}

    def context(self, config: JsonObject, network: BadNetwork) -> CollectorContext:
        """Return the context of one check."""
        return CollectorContext(
            monitor="conformance",
            config=fill_defaults(self.manifest.config_schema, config),
            secrets=self.secrets(),
            timeout_s=TIMEOUT_S,
            network=network,
            now=lambda: datetime.now(UTC),
            monotonic=time.monotonic,
            logger=logging.getLogger("conformance"),
            heartbeat=heartbeat(),
            discoverer=self.discoverer,
        )

    # --- the schema -------------------------------------------------------------------------

    def test_it_can_be_loaded_and_is_a_collector(self) -> None:
        assert self.manifest.kind is PluginKind.COLLECTOR
        assert callable(self.collector().check)

    def test_every_option_has_a_title_and_a_description(self) -> None:
        for path, described in walk_properties(self.manifest.config_schema):
            assert described.get("title"), path
            assert described.get("description"), path

    def test_the_configurations_are_accepted_and_complete_with_their_defaults(self) -> None:
        schema = self.manifest.config_schema
        for config in self.configs:
            checked = validate(schema, config, {})
            assert not checked.problems, checked.problems
            again = validate(schema, checked.config, {})
            assert not again.problems, again.problems
            assert again.config == checked.config

    def test_a_misspelt_option_is_refused_by_name(self) -> None:
        checked = validate(self.manifest.config_schema, {**self.configs[0], "no_such": 1}, {})
        assert any("no_such" in f"{each.field} {each.message}" for each in checked.problems)

    # --- the check --------------------------------------------------------------------------

    @pytest.mark.parametrize("misbehaviour", every_misbehaviour())
    async def test_whatever_the_network_does_it_answers_or_raises_a_plugin_error(
        self, misbehaviour: Misbehaviour
    ) -> None:
        for config in self.configs:
            context = self.context(config, BadNetwork(misbehaviour))
            result = await _run(self.collector(), context)
            if isinstance(result, CheckResult):
                self.assert_fit(result)
            else:
                assert result.message

    async def test_a_check_that_is_cancelled_ends_at_once(self) -> None:
        for config in self.configs:
            context = self.context(config, BadNetwork("hang"))
            task = asyncio.create_task(_run(self.collector(), context))
            await asyncio.sleep(0.01)
            task.cancel()
            done, _ = await asyncio.wait({task}, timeout=1.0)
            assert done, "the check ignores its cancellation"

    @pytest.mark.parametrize("misbehaviour", every_misbehaviour())
    async def test_no_secret_appears_in_a_result(self, misbehaviour: Misbehaviour) -> None:
        for config in self.configs:
            network = BadNetwork(misbehaviour)
            schema = self.manifest.config_schema
            check = ScheduledCheck(
                key=1,
                epoch=1,
                slot_ms=0,
                collector=self.name,
                name="conformance",
                config=fill_defaults(schema, config),
                secrets=self.secrets(),
                timeout_s=TIMEOUT_S,
                heartbeat=heartbeat(),
            )
            result = await run_check(check, registry=_Registry(self.collector()), network=network)
            assert CANARY not in _everything(result)

    def assert_fit(self, result: CheckResult) -> None:
        """Fail unless ``result`` is fit to store."""
        assert isinstance(result, CheckResult)
        assert isinstance(result.state, CheckState)
        assert 0 < len(result.message) <= MAX_MESSAGE
        assert len(json.dumps(result.evidence).encode()) <= MAX_EVIDENCE_BYTES
        assert result.duration_s is None or result.duration_s >= 0
        series = set()
        for metric in result.metrics:
            assert _METRIC_NAME.match(metric.name), metric.name
            assert metric.name not in _HOSTS_METRICS
            assert all(_LABEL_NAME.match(label) for label in metric.labels)
            assert isinstance(metric.value, (int, float))
            series.add((metric.name, *sorted(metric.labels.items())))
        assert len(series) == len(result.metrics), "a series is written twice"


class _Registry:
    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    def get(self, name: str, org: str) -> Collector:
        return self._collector


async def _run(collector: Collector, context: CollectorContext) -> CheckResult | PluginError:
    try:
        return await collector.check(context)
    except PluginError as error:
        return error


def _everything(result: CheckResult) -> str:
    labels: list[Mapping[str, str]] = [metric.labels for metric in result.metrics]
    return f"{result.message} {json.dumps(result.evidence)} {labels}"
