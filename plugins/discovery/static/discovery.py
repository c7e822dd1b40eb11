"""Targets written down in the configuration."""

from collections.abc import Sequence

from detectviz.contracts.config import get_objects, get_text_map, get_texts
from detectviz.contracts.discovery import DiscoveryContext, TargetGroup


class StaticDiscovery:
    """Returns what the configuration says, as Prometheus' static_configs."""

    async def discover(self, context: DiscoveryContext) -> Sequence[TargetGroup]:
        """Return the groups."""
        return tuple(
            TargetGroup(
                targets=tuple({"__address__": each} for each in get_texts(group, "targets")),
                labels=get_text_map(group, "labels"),
                source=str(index),
            )
            for index, group in enumerate(get_objects(context.config, "groups"))
        )
