"""The context of a question, with the real network on loopback."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import pytest

from detectviz.contracts.discovery import TargetGroup
from detectviz.contracts.network import Network
from detectviz.contracts.types import JsonObject, JsonValue, PluginKind
from detectviz.net.guard import EgressPolicy
from detectviz.net.network import EngineNetwork
from detectviz.testing.discovery import discovery_context
from detectviz.testing.http_server import TestAuthority
from detectviz.testing.plugins import built_in_plugins, checked_config

Discover = Callable[..., Awaitable[Sequence[TargetGroup]]]


@pytest.fixture
async def network() -> AsyncIterator[EngineNetwork]:
    made = EngineNetwork(EgressPolicy(allow_private=True))
    yield made
    await made.aclose()


@pytest.fixture(scope="session")
def authority() -> TestAuthority:
    return TestAuthority()


@pytest.fixture
def discover(network: EngineNetwork) -> Discover:
    """Return a function that asks the discovery ``name`` as the host would."""

    async def ask(
        name: str,
        config: JsonObject,
        *,
        secrets: dict[str, JsonValue] | None = None,
        through: Network | None = None,
        timeout_s: float = 3.0,
    ) -> Sequence[TargetGroup]:
        checked = checked_config(PluginKind.DISCOVERY, name, config, secrets)
        context = discovery_context(
            name,
            checked.config,
            network=through or network,
            secrets=checked.secrets,
            timeout_s=timeout_s,
        )
        return await built_in_plugins().load(PluginKind.DISCOVERY, name).discover(context)

    return ask
