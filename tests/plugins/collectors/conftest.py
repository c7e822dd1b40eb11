"""The context of a check, with the real network on loopback."""

import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime

import pytest

from detectviz.contracts.collector import CheckResult, CollectorContext
from detectviz.contracts.network import Network
from detectviz.contracts.types import JsonObject, JsonValue, PluginKind
from detectviz.net.guard import EgressPolicy
from detectviz.net.network import EngineNetwork
from detectviz.testing.http_server import TestAuthority
from detectviz.testing.plugins import built_in_plugins, checked_config

RunCheck = Callable[..., Awaitable[CheckResult]]


@pytest.fixture
async def network() -> AsyncIterator[EngineNetwork]:
    made = EngineNetwork(EgressPolicy(allow_private=True))
    yield made
    await made.aclose()


@pytest.fixture(scope="session")
def authority() -> TestAuthority:
    return TestAuthority()


@pytest.fixture
def run_check(network: EngineNetwork) -> RunCheck:
    """Return a function that runs one check of the plugin ``name`` as the host would."""

    async def run(
        name: str,
        config: JsonObject,
        *,
        secrets: dict[str, JsonValue] | None = None,
        timeout_s: float = 3.0,
        now: datetime | None = None,
        through: Network | None = None,
    ) -> CheckResult:
        checked = checked_config(PluginKind.COLLECTOR, name, config, secrets)
        context = CollectorContext(
            monitor="home",
            config=checked.config,
            secrets=checked.secrets,
            timeout_s=timeout_s,
            network=through or network,
            now=lambda: now or datetime.now(UTC),
            monotonic=time.monotonic,
            logger=logging.getLogger("tests.collectors"),
        )
        return await built_in_plugins().load(PluginKind.COLLECTOR, name).check(context)

    return run


@pytest.fixture
def metric_of() -> Callable[..., float | None]:
    """Return a function that finds a metric's value by name and some of its labels."""

    def find(result: CheckResult, name: str, **labels: str) -> float | None:
        return next(
            (
                metric.value
                for metric in result.metrics
                if metric.name == name and labels.items() <= dict(metric.labels).items()
            ),
            None,
        )

    return find
