"""What monitors of this deployment may reach, and the plugins that reach for it."""

from collections.abc import Mapping
from pathlib import Path

from django.conf import settings

from apps.extensions.selectors import plugin_client
from detectviz.collection.discovery import DiscoveryChoice, DiscoveryHost
from detectviz.contracts.collector import Collector
from detectviz.contracts.config import get_object
from detectviz.contracts.discovery import Discovery
from detectviz.contracts.types import JsonObject, PluginKind
from detectviz.net.guard import EgressPolicy
from detectviz.net.network import EngineNetwork
from detectviz.pluginhost.inclusion import KEYWORD, options_name
from detectviz.pluginhost.schema import properties_of


class HostedCollectors:
    """The engine's registry of collectors, over the process's plugin host."""

    def get(self, name: str) -> Collector:
        """Return the collector called ``name``; raise PluginHostError when it can't be used."""
        collector: Collector = plugin_client().instance(PluginKind.COLLECTOR, name)
        return collector


class HostedDiscoveries:
    """The engine's registry of discovery plugins, over the same host."""

    def get(self, name: str) -> Discovery:
        """Return the plugin called ``name``; raise PluginHostError when it can't be used."""
        discovery: Discovery = plugin_client().instance(PluginKind.DISCOVERY, name)
        return discovery


def discovery_host() -> DiscoveryHost:
    """Return how monitors of this process find their targets."""
    return DiscoveryHost(registry=HostedDiscoveries(), folder=Path(settings.DATA_DIR) / "discovery")


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
