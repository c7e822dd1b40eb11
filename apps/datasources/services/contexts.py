"""What the host lends a datasource plugin for one call."""

import logging
from collections.abc import Callable
from typing import Final, cast

from django.conf import settings
from django.db import models
from django.utils.module_loading import import_string

from apps.datasources.selectors.resolution import ResolvedDatasource
from apps.datasources.services.connectors import GuardedConnector, http_client
from apps.datasources.services.instances import instance_pool
from apps.extensions.selectors import plugin_manifest
from detectviz.clock import utc_now
from detectviz.contracts.datasource import DatasourceContext
from detectviz.contracts.series import SeriesQuerier
from detectviz.contracts.types import PluginKind

READ: Final = "read"


def datasource_context(
    *,
    org: models.Model,
    resolved: ResolvedDatasource,
    timeout_s: float,
    is_cancelled: Callable[[], bool],
) -> DatasourceContext:
    """Return the context of one call of a datasource plugin.

    What the plugin keeps (``instances``) stays open until the context is let go: hold it no
    longer than the call. Raise PluginHostError for a plugin that can't be used.
    """
    manifest = plugin_manifest(PluginKind.DATASOURCE, resolved.plugin)
    version = resolved.settings.version
    return DatasourceContext(
        org=str(org),
        settings=resolved.settings,
        timeout_s=timeout_s,
        max_rows=settings.DATASOURCE_MAX_ROWS,
        max_bytes=settings.DATASOURCE_MAX_BYTES,
        http=http_client(),
        connector=GuardedConnector(str(org)),
        instances=instance_pool().lease((org.pk, resolved.uid, version)),
        is_cancelled=is_cancelled,
        now=utc_now,
        logger=logging.getLogger(f"detectviz.datasources.{resolved.plugin}"),
        series=_series(org, is_cancelled) if READ in manifest.permissions.series else None,
    )


def _series(org: models.Model, is_cancelled: Callable[[], bool]) -> SeriesQuerier:
    """Return the org's own series: the port that the app above fills."""
    make = import_string(settings.DETECTVIZ_SERIES_QUERIER)
    return cast("SeriesQuerier", make(org, is_cancelled=is_cancelled))
