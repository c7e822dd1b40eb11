"""Who uses a plugin: each app that refers to plugins in its resources counts its own."""

from collections import defaultdict
from collections.abc import Callable, Mapping

from detectviz.contracts.types import PluginKind

UsageCounter = Callable[[int | None], Mapping[str, int]]
"""Returns how many resources use each plugin: of an org (its primary key), None is of all orgs."""

_counters: dict[tuple[PluginKind, str], UsageCounter] = {}


def usage_register(plugins: PluginKind, resource: str, counter: UsageCounter) -> None:
    """Have ``counter`` asked for the resources (``Monitor``) that use plugins of a kind."""
    _counters[plugins, resource] = counter


def usage_count(
    org: int | None, kind: PluginKind | None = None
) -> dict[tuple[PluginKind, str], dict[str, int]]:
    """Return how many resources use each plugin, by kind of resource; one query for each."""
    found: dict[tuple[PluginKind, str], dict[str, int]] = defaultdict(dict)
    for (plugins, resource), counter in _counters.items():
        if kind is None or plugins is kind:
            for name, count in counter(org).items():
                found[plugins, name][resource] = count
    return dict(found)
