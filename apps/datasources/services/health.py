"""Save & test: find out whether a datasource works."""

from datetime import datetime
from typing import Any, Final

from django.db import models

from apps.datasources.errors import NotOfferedError
from apps.datasources.models import Datasource
from apps.datasources.selectors.resolution import resolved_of
from apps.datasources.services.calls import datasource_call, masked
from detectviz.contracts.datasource import DatasourceContext, Health
from detectviz.resources.errors import DomainError

TIMEOUT_S: Final = 15.0
_LONGEST_MESSAGE: Final = 1000
_MOST_DETAILS: Final = 50


def datasource_check(*, org: models.Model, datasource: Datasource, now: datetime) -> Health:
    """Ask the plugin whether the datasource works, and remember what it said.

    A failure is an answer too. ``details`` is empty where the plugin has no check.
    """
    resolved = resolved_of(datasource)
    try:
        found = datasource_call(
            org=org,
            resolved=resolved,
            operation="check_health",
            work=_check,
            timeout_s=TIMEOUT_S,
        )
    except NotOfferedError:
        return Health(status="ok", message="Saved. This plugin has no check of its own.")
    except DomainError as error:
        found = Health(status="error", message=error.message)
    message = masked(found.message, resolved.settings.secrets)[:_LONGEST_MESSAGE]
    # Only if it still is what was checked: a change meanwhile makes the answer stale.
    Datasource.objects.for_org(org).filter(
        pk=datasource.pk, resource_version=datasource.resource_version
    ).update(health_status=found.status, health_message=message, health_checked_at=now)
    return Health(
        status=found.status,
        message=message,
        details=dict(list(found.details.items())[:_MOST_DETAILS]),
    )


def _check(plugin: Any, context: DatasourceContext) -> Health:
    health: Health = plugin.check_health(context)
    return health
