"""The conformance suite of discovery plugins: every one's tests subclass it.

class TestConformance(DiscoveryConformance):
    name = "http"
    configs = ({"url": "http://127.0.0.1/targets"},)
"""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import ClassVar, Final

import pytest

from detectviz.contracts.discovery import Discovery, DiscoveryContext, FoundFile, TargetGroup
from detectviz.contracts.errors import PluginError
from detectviz.contracts.manifest import Manifest
from detectviz.contracts.network import Network
from detectviz.contracts.types import JsonObject, PluginKind
from detectviz.pluginhost.configuration import fill_defaults, validate
from detectviz.pluginhost.schema import secret_paths, walk_properties
from detectviz.testing.networks import GARBAGE, BadNetwork, Misbehaviour, every_misbehaviour
from detectviz.testing.plugins import built_in_plugins

CANARY: Final = "canary-5c1d77-"
TIMEOUT_S: Final = 1.0


class MemoryFiles:
    """contracts' Files of a test: what is given, whatever the pattern."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = files

    async def read(self, pattern: str) -> Sequence[FoundFile]:
        """Return all of them."""
        return [FoundFile(name=name, content=data) for name, data in sorted(self._files.items())]


def discovery_context(
    name: str,
    config: JsonObject,
    *,
    network: Network,
    files: Mapping[str, bytes] | None = None,
    secrets: Mapping[str, str] | None = None,
    timeout_s: float = TIMEOUT_S,
) -> DiscoveryContext:
    """Return a context as the host makes it, defaults of the schema filled in."""
    manifest = built_in_plugins().manifest(PluginKind.DISCOVERY, name)
    return DiscoveryContext(
        config=fill_defaults(manifest.config_schema, config),
        secrets=secrets or {},
        timeout_s=timeout_s,
        network=network,
        files=MemoryFiles(files or {}),
        now=lambda: datetime.now(UTC),
        monotonic=time.monotonic,
        logger=logging.getLogger("conformance"),
    )


class DiscoveryConformance:
    """Subclass as ``Test…`` and say which plugin and which configurations."""

    name: ClassVar[str]
    configs: ClassVar[Sequence[JsonObject]]

    @property
    def manifest(self) -> Manifest:
        """The plugin's manifest."""
        return built_in_plugins().manifest(PluginKind.DISCOVERY, self.name)

    def discovery(self) -> Discovery:
        """Load the plugin as the host does."""
        return built_in_plugins().load(PluginKind.DISCOVERY, self.name)

    def context(
        self, config: JsonObject, network: BadNetwork, files: Mapping[str, bytes] | None = None
    ) -> DiscoveryContext:
        """Return the context of one question, every secret a recognisable text."""
        paths = secret_paths(self.manifest.config_schema)
        secrets = {"/".join(path): f"{CANARY}{'-'.join(path)}" for path in paths}
        return discovery_context(self.name, config, network=network, files=files, secrets=secrets)

    def test_it_can_be_loaded_and_is_a_discovery(self) -> None:
        assert self.manifest.kind is PluginKind.DISCOVERY
        assert callable(self.discovery().discover)

    def test_every_option_has_a_title_and_a_description(self) -> None:
        for path, described in walk_properties(self.manifest.config_schema):
            assert described.get("title"), path
            assert described.get("description"), path

    def test_the_configurations_are_accepted_and_a_misspelt_option_is_refused(self) -> None:
        schema = self.manifest.config_schema
        for config in self.configs:
            assert not validate(schema, config, {}).problems
        checked = validate(schema, {**self.configs[0], "no_such": 1}, {})
        assert any("no_such" in f"{each.field} {each.message}" for each in checked.problems)

    @pytest.mark.parametrize("misbehaviour", every_misbehaviour())
    async def test_whatever_it_meets_it_answers_groups_or_raises_a_plugin_error(
        self, misbehaviour: Misbehaviour
    ) -> None:
        for config in self.configs:
            network = BadNetwork(misbehaviour)
            context = self.context(config, network, {"bad.json": GARBAGE, "worse.yml": b"- {{"})
            try:
                async with asyncio.timeout(TIMEOUT_S / 4):
                    groups = await self.discovery().discover(context)
            except (PluginError, TimeoutError) as error:
                assert CANARY not in str(error)  # noqa: PT017 - either way out is right
                continue
            assert_groups(groups)

    async def test_a_question_that_is_cancelled_ends_at_once(self) -> None:
        for config in self.configs:
            context = self.context(config, BadNetwork("hang"))
            task = asyncio.ensure_future(self.discovery().discover(context))
            await asyncio.sleep(0.01)
            task.cancel()
            done, _ = await asyncio.wait({task}, timeout=1.0)
            assert done, "the discovery ignores its cancellation"
            if not task.cancelled():
                task.exception()


def assert_groups(groups: Sequence[TargetGroup]) -> None:
    """Fail unless the groups are what the contract says."""
    for group in groups:
        assert isinstance(group, TargetGroup)
        for labels in (*group.targets, group.labels):
            assert all(isinstance(each, str) for pair in labels.items() for each in pair)
            assert CANARY not in str(labels)
