"""What monitors of this deployment may reach, and the plugins that reach for it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from django.conf import settings

from apps.extensions.selectors import plugin_client
from detectviz.collection.discovery import DiscoveryChoice, DiscoveryHost
from detectviz.contracts.collector import CheckResult, Collector, CollectorContext
from detectviz.contracts.config import get_object
from detectviz.contracts.discovery import Discovery, DiscoveryContext, TargetGroup
from detectviz.contracts.errors import PluginError
from detectviz.contracts.types import JsonObject, PluginKind
from detectviz.net.guard import EgressPolicy
from detectviz.net.network import EngineNetwork
from detectviz.pluginhost.errors import PluginHostError
from detectviz.pluginhost.inclusion import KEYWORD, options_name
from detectviz.pluginhost.registry import Running
from detectviz.pluginhost.sandbox.commands import LIMITS as COMMAND_LIMITS
from detectviz.pluginhost.sandbox.commands import CommandsHost
from detectviz.pluginhost.sandbox.limits import SandboxPolicy
from detectviz.pluginhost.schema import properties_of


class HostedCollectors:
    """The engine's registry of collectors, over the process's plugin host."""

    def __init__(self) -> None:
        self._counted: dict[str, _CountedCollector] = {}

    def get(self, name: str, org: str) -> Collector:
        """Return the collector called ``name``; raise PluginHostError when it can't be used."""
        running = plugin_client().running(PluginKind.COLLECTOR, name, org=org or None)
        counted = self._counted.get(name)
        if counted is None or counted.running is not running:
            counted = self._counted[name] = _CountedCollector(running)
        return counted


class _CountedCollector:
    """A collector whose checks under way are known, so that it stops after the last of them.

    What the checks came to is counted by the batch: see ``telemetry``.
    """

    def __init__(self, running: Running) -> None:
        self.running = running

    async def check(self, context: CollectorContext) -> CheckResult:
        """Run one check; one that was on its way to a replaced instance goes to the new one."""
        running = self.running
        if not running.try_enter():
            running = plugin_client().enter(PluginKind.COLLECTOR, running.plugin.name)
        collector: Collector = running.instance
        try:
            return await collector.check(context)
        finally:
            running.leave()


class HostedDiscoveries:
    """The engine's registry of discovery plugins, over the same host."""

    def get(self, name: str, org: str) -> Discovery:
        """Return the way to the plugin called ``name``."""
        return _CalledDiscovery(name, org)


class _CalledDiscovery:
    """Asks a discovery plugin through the client, and raises as the plugin would."""

    def __init__(self, name: str, org: str) -> None:
        self._name = name
        self._org = org

    async def discover(self, context: DiscoveryContext) -> Sequence[TargetGroup]:
        """Ask; what keeps the plugin from answering is a PluginError, too."""

        async def discover(plugin: Discovery) -> Sequence[TargetGroup]:
            return await plugin.discover(context)

        try:
            return await plugin_client().call_async(
                PluginKind.DISCOVERY, self._name, "discover", discover, org=self._org or None
            )
        except PluginHostError as error:
            if isinstance(error.__cause__, Exception):
                raise error.__cause__ from None
            raise PluginError(str(error)) from error


def discovery_host() -> DiscoveryHost:
    """Return how monitors of this process find their targets."""
    return DiscoveryHost(registry=HostedDiscoveries(), folder=Path(settings.DATA_DIR) / "discovery")


def commands_host() -> CommandsHost:
    """Return how monitors of this process run the operator's scripts."""
    return CommandsHost(
        folder=Path(settings.SCRIPTS_DIR),
        policy=SandboxPolicy(
            confinement="degrade" if settings.PLUGIN_SANDBOX == "degrade" else "require",
            limits=COMMAND_LIMITS,
        ),
        has_network=settings.SCRIPTS_NETWORK,
    )


def discovery_choice(
    schema: JsonObject, config: JsonObject, secrets: Mapping[str, str]
) -> DiscoveryChoice | None:
    """Return the discovery a collector's configuration chose, None where it can't choose one."""
    for name, described in properties_of(schema).items():
        chosen = config.get(name)
        if described.get(KEYWORD) == PluginKind.DISCOVERY and isinstance(chosen, str):
            options = options_name(chosen)
            return DiscoveryChoice(
                name=chosen,
                config=get_object(config, options),
                secrets={
                    key.removeprefix(f"{options}/"): text
                    for key, text in secrets.items()
                    if key.startswith(f"{options}/")
                },
            )
    return None


def egress_policy() -> EgressPolicy:
    """Return the egress policy that the settings name."""
    return EgressPolicy(
        allow=[str(network) for network in settings.EGRESS_ALLOW],
        allow_private=settings.EGRESS_ALLOW_PRIVATE,
    )


def engine_network() -> EngineNetwork:
    """Return a new network for one event loop, under the deployment's egress policy."""
    return EngineNetwork(egress_policy())
