"""What monitors of this deployment may reach, and the plugins that reach for it."""

from django.conf import settings

from apps.extensions.selectors import catalogue
from detectviz.contracts.collector import Collector
from detectviz.contracts.types import PluginKind
from detectviz.net.guard import EgressPolicy
from detectviz.net.network import EngineNetwork


class CatalogueCollectors:
    """The engine's registry of collectors, over the process's plugin catalogue."""

    def get(self, name: str) -> Collector:
        """Return the collector called ``name``; raise PluginHostError when it can't be used."""
        return catalogue().load(PluginKind.COLLECTOR, name)


def egress_policy() -> EgressPolicy:
    """Return the egress policy that the settings name."""
    return EgressPolicy(
        allow=[str(network) for network in settings.EGRESS_ALLOW],
        allow_private=settings.EGRESS_ALLOW_PRIVATE,
    )


def engine_network() -> EngineNetwork:
    """Return a new network for one event loop, under the deployment's egress policy."""
    return EngineNetwork(egress_policy())
