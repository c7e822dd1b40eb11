"""How many datasources there are of each type."""

from collections.abc import Mapping

from django.db.models import Count

from apps.datasources.models import Datasource
from detectviz.contracts.types import PluginKind
from detectviz.pluginhost.usage import usage_register


def datasource_types_used(org_id: int | None) -> Mapping[str, int]:
    """Return how many datasources of an org (None: of all) are of each type."""
    across = Datasource.objects.across_orgs(reason="the platform counts what uses a plugin")
    rows = across if org_id is None else Datasource.objects.for_org(org_id)
    return dict(rows.order_by().values_list("type").annotate(Count("pk")))


usage_register(PluginKind.DATASOURCE, "Datasource", datasource_types_used)
