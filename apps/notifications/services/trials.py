"""Try a contact point with a sample alert; explain where labels would go."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import models

from apps.notifications.models import ContactPoint, RoutingTree
from apps.notifications.services.configuration import receiver_secrets
from apps.notifications.services.delivery import receiver_notify
from apps.notifications.services.routing import (
    Route,
    build_tree,
    group_key,
    group_labels,
    match_routes,
)
from detectviz.clock import utc_now
from detectviz.contracts.durations import format_duration
from detectviz.contracts.notifier import Notification, NotifiedAlert
from detectviz.contracts.types import AlertStatus
from detectviz.resources.models import new_uid


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialResult:
    """What a receiver answered to a test."""

    receiver: str
    notifier: str
    is_delivered: bool
    message: str
    status_code: int | None
    duration_s: float


def contact_point_try(*, point: ContactPoint) -> list[TrialResult]:
    """Send a sample alert through every receiver now, without touching any group's state."""
    results: list[TrialResult] = []
    for receiver in point.receivers:
        attempt = receiver_notify(
            notifier=receiver["notifier"],
            config=receiver["config"],
            secrets=receiver_secrets(receiver["name"], point.secrets),
            notification=sample_notification(point=point.name, org=str(point.org)),
        )
        receipt, error = attempt.receipt, attempt.error
        results.append(
            TrialResult(
                receiver=receiver["name"],
                notifier=receiver["notifier"],
                is_delivered=receipt is not None,
                message=error.message if error else (receipt.answer if receipt else ""),
                status_code=receipt.status_code if receipt else getattr(error, "status_code", None),
                duration_s=attempt.duration_s,
            )
        )
    return results


def sample_notification(*, point: str, org: str) -> Notification:
    """Return a notification that says it is a test."""
    labels = {"alertname": "TestAlert", "severity": "info", "source": "detectviz"}
    annotations = {"summary": "This is a test notification. Nothing is wrong."}
    url = f"{settings.EXTERNAL_URL}/o/{org}/alerts"
    alert = NotifiedAlert(
        status=AlertStatus.FIRING,
        labels=labels,
        annotations=annotations,
        starts_at=utc_now(),
        ends_at=None,
        generator_url=url,
        fingerprint="0" * 16,
    )
    return Notification(
        receiver=point,
        status=AlertStatus.FIRING,
        alerts=(alert,),
        group_key='{}:{alertname="TestAlert"}',
        group_labels={"alertname": "TestAlert"},
        common_labels=labels,
        common_annotations=annotations,
        external_url=settings.EXTERNAL_URL,
        org=org,
        rule_group="",
        delivery_id=f"test-{new_uid()}",
        url=url,
        is_test=True,
    )


def routes_explain(*, org: models.Model, labels: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return, in order, the routes an alert with these labels would take and its groups there."""
    tree = RoutingTree.objects.for_org(org.pk).first()
    if tree is None:
        return []
    return [_explained(route, labels) for route in match_routes(build_tree(tree.root), labels)]


def _explained(route: Route, labels: Mapping[str, str]) -> dict[str, Any]:
    return {
        "route": route.path,
        "matchers": _shown(route),
        "contact_point": route.contact_point,
        "group_labels": group_labels(route, labels),
        "group_key": group_key(route, labels),
        "group_wait": format_duration(route.group_wait_ms / 1000),
        "group_interval": format_duration(route.group_interval_ms / 1000),
        "repeat_interval": format_duration(route.repeat_interval_ms / 1000),
        "continue": route.does_continue,
    }


def _shown(route: Route) -> Sequence[str]:
    return [str(matcher) for matcher in route.matchers]
