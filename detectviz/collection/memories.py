"""What plugins remember of a monitor between two checks, in this process."""

from collections import OrderedDict
from collections.abc import MutableMapping
from typing import Final

from detectviz.collection.checks import ScheduledCheck
from detectviz.collection.discovery import DiscoveryHost, MonitorDiscoverer
from detectviz.contracts.network import Network
from detectviz.contracts.types import JsonObject

MOST_MONITORS: Final = 50_000


class Memories:
    """One memory per monitor and version of its configuration; the longest unused goes first."""

    def __init__(self, *, most: int = MOST_MONITORS) -> None:
        self._most = most
        self._kept: OrderedDict[int, tuple[JsonObject, dict[str, object]]] = OrderedDict()

    def of(self, check: ScheduledCheck) -> MutableMapping[str, object]:
        """Return the memory of the monitor; a new configuration starts with an empty one."""
        known = self._kept.get(check.key)
        if known is not None and known[0] is check.config:
            if known[1]:
                self._kept.move_to_end(check.key)
            return known[1]
        memory: dict[str, object] = {}
        self._kept[check.key] = (check.config, memory)
        self._kept.move_to_end(check.key)
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)
        return memory


def discoverer_of(
    check: ScheduledCheck,
    host: DiscoveryHost | None,
    network: Network,
    memory: MutableMapping[str, object],
) -> MonitorDiscoverer | None:
    """Return the discoverer of a check, None when its configuration chose none."""
    if check.discovery is None or host is None:
        return None
    return host.discoverer(
        check.discovery,
        org=check.org,
        network=network,
        timeout_s=check.timeout_s,
        memory=memory,
    )
