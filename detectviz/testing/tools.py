"""The conformance suite of tools."""

import asyncio
import logging
from datetime import UTC, datetime
from typing import cast

import pytest

from detectviz.contracts.drawings import drawing_problems
from detectviz.contracts.errors import EgressDeniedError, PluginError
from detectviz.contracts.network import Network
from detectviz.contracts.tool import Tool, ToolAnswer, ToolContext
from detectviz.contracts.types import JsonObject, PluginKind
from detectviz.testing.networks import BadNetwork, Misbehaviour, every_misbehaviour
from detectviz.testing.plugins import built_in_plugins, checked_config

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def make_tool_context(
    name: str, config: JsonObject, network: Network, *, timeout_s: float = 2.0
) -> ToolContext:
    """Return the context the host would give the tool ``name``; the schema must agree."""
    return ToolContext(
        config=checked_config(PluginKind.TOOL, name, config).config,
        timeout_s=timeout_s,
        network=network,
        now=lambda: NOW,
        logger=logging.getLogger(f"tests.tools.{name}"),
    )


class ToolSuite:
    """What every tool must do. Subclass it, set ``name`` and a telling ``config``."""

    name = ""
    config: JsonObject = {}

    @pytest.fixture
    def tool(self) -> Tool:
        """Return the plugin, loaded as the host loads it."""
        return cast("Tool", built_in_plugins().load(PluginKind.TOOL, self.name))

    @pytest.mark.parametrize("misbehaviour", every_misbehaviour())
    def test_a_bad_network_is_an_answer_or_a_plugin_error(
        self, tool: Tool, misbehaviour: Misbehaviour
    ) -> None:
        try:
            answer = self._run(tool, BadNetwork(misbehaviour))
        except PluginError as error:
            assert error.message  # noqa: PT017 - either is right
        else:
            assert answer.summary
            assert [text for each in answer.drawings for text in drawing_problems(each)] == []

    def test_a_refused_address_is_not_swallowed(self, tool: Tool) -> None:
        if not built_in_plugins().manifest(PluginKind.TOOL, self.name).permissions.network:
            return
        with pytest.raises(EgressDeniedError):
            self._run(tool, BadNetwork("denied"))

    def test_a_network_that_hangs_lets_it_be_cancelled(self, tool: Tool) -> None:
        async def run() -> None:
            async with asyncio.timeout(0.2):
                await tool.run(make_tool_context(self.name, self.config, BadNetwork("hang")))

        with pytest.raises((TimeoutError, PluginError)):
            asyncio.run(run())

    def _run(self, tool: Tool, network: Network) -> ToolAnswer:
        return asyncio.run(tool.run(make_tool_context(self.name, self.config, network)))
