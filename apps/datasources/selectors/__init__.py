"""Questions about datasources; every one starts from an org."""

from apps.datasources.selectors.datasources import (
    datasource_get,
    datasource_list,
    datasource_types,
)
from apps.datasources.selectors.resolution import (
    ResolvedDatasource,
    datasource_resolve,
    resolution_forget,
)

__all__ = [
    "ResolvedDatasource",
    "datasource_get",
    "datasource_list",
    "datasource_resolve",
    "datasource_types",
    "resolution_forget",
]
