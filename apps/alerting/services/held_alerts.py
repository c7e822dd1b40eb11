"""Alerts that are told later or not at all because of what alerting knows of them."""

from collections.abc import Collection
from datetime import datetime

from django.db import models

from apps.alerting.enums import AlertState
from apps.alerting.models import Alert
from apps.alerting.services.datasource_health import DATASOURCE_DOWN, GROUP_NAME

_FIRING = (AlertState.FIRING, AlertState.RECOVERING)
_MOST_NAMES = 500


def flapping_held(org: models.Model | int) -> dict[str, str]:
    """Return the flapping alerts of rules that hold them back, by fingerprint: the rule's name."""
    rows = Alert.objects.for_org(org).filter(is_flapping=True, rule__holds_flapping=True)
    return dict(rows.order_by().values_list("fingerprint", "rule__name"))


def datasources_down(org: models.Model | int) -> dict[str, tuple[str, datetime]]:
    """Return the datasources that are told to be down, by uid: the name, and since when."""
    rows = Alert.objects.for_org(org).filter(
        rule__group__name=GROUP_NAME, rule__group__is_builtin=True, state__in=_FIRING
    )
    return {
        row.labels.get("datasource_uid", ""): (row.labels.get("datasource", ""), row.active_at)
        for row in rows
        if row.labels.get("alertname") == DATASOURCE_DOWN
    }


def failed_datasources(
    org: models.Model | int, fingerprints: Collection[str]
) -> dict[str, list[str]]:
    """Return the uids of the datasources that did not answer the rules of alerts."""
    found: dict[str, list[str]] = {}
    wanted = sorted(fingerprints)
    for start in range(0, len(wanted), _MOST_NAMES):
        rows = Alert.objects.for_org(org).filter(
            fingerprint__in=wanted[start : start + _MOST_NAMES], rule__isnull=False
        )
        columns = rows.order_by().values_list("fingerprint", "rule__failing_datasources")
        found |= dict(columns)
    return found
