"""How many contact points use each notifier."""

from collections import Counter
from collections.abc import Mapping

from apps.notifications.models import ContactPoint
from detectviz.contracts.types import PluginKind
from detectviz.pluginhost.usage import usage_register


def notifiers_used(org_id: int | None) -> Mapping[str, int]:
    """Return how many contact points of an org (None: of all) have a receiver of each notifier."""
    across = ContactPoint.objects.across_orgs(reason="the platform counts what uses a plugin")
    points = across if org_id is None else ContactPoint.objects.for_org(org_id)
    found: Counter[str] = Counter()
    for receivers in points.values_list("receivers", flat=True).iterator():
        # Receivers are JSON; what an older version wrote otherwise counts for nothing.
        found.update({each["notifier"] for each in receivers if isinstance(each, dict)})
    return found


usage_register(PluginKind.NOTIFIER, "ContactPoint", notifiers_used)
