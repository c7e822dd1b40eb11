"""How many monitors use each collector."""

from collections.abc import Mapping

from django.db.models import Count

from apps.monitors.models import Monitor
from detectviz.contracts.types import PluginKind
from detectviz.pluginhost.usage import usage_register


def collectors_used(org_id: int | None) -> Mapping[str, int]:
    """Return how many monitors of an org (None: of all) are of each type."""
    across = Monitor.objects.across_orgs(reason="the platform counts what uses a plugin")
    monitors = across if org_id is None else Monitor.objects.for_org(org_id)
    return dict(monitors.order_by().values_list("type").annotate(Count("pk")))


usage_register(PluginKind.COLLECTOR, "Monitor", collectors_used)
