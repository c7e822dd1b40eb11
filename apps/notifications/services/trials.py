"""Try a contact point with a sample alert."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apps.notifications.models import ContactPoint
from apps.notifications.services.configuration import receiver_secrets
from apps.notifications.services.delivery import notifier_schema, receiver_notify
from apps.notifications.services.samples import trial_notification
from apps.notifications.services.templates import library_of, notification_render
from detectviz.contracts.notifier import Notification


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialResult:
    """What a receiver answered to a test."""

    receiver: str
    notifier: str
    is_delivered: bool
    message: str
    status_code: int | None
    duration_s: float


def contact_point_try(
    *,
    point: ContactPoint,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    status: str = "firing",
) -> list[TrialResult]:
    """Send a test alert through every receiver now, without touching any group's state.

    ``labels`` and ``annotations`` go over those of the sample. Templates are rendered as for real.
    """
    told = trial_notification(
        point=point.name, org=str(point.org), labels=labels, annotations=annotations, status=status
    )
    return [
        receiver_try(
            org_id=point.org_id,
            receiver=receiver,
            secrets=receiver_secrets(receiver["name"], point.secrets),
            told=told,
        )
        for receiver in point.receivers
    ]


def receiver_try(
    *, org_id: int, receiver: Mapping[str, Any], secrets: dict[str, str], told: Notification
) -> TrialResult:
    """Tell one receiver a test now, with its templates rendered."""
    rendered = notification_render(
        library=library_of(org_id=org_id),
        notification=told,
        receiver=receiver,
        schema=notifier_schema(receiver["notifier"]),
    )
    attempt = receiver_notify(
        notifier=receiver["notifier"],
        config=dict(rendered.config),
        secrets=secrets,
        notification=rendered.notification,
    )
    receipt, error = attempt.receipt, attempt.error
    answer = error.message if error else (receipt.answer if receipt else "")
    return TrialResult(
        receiver=receiver["name"],
        notifier=receiver["notifier"],
        is_delivered=receipt is not None,
        message=" ".join(filter(None, (answer, *rendered.notes))),
        status_code=receipt.status_code if receipt else getattr(error, "status_code", None),
        duration_s=attempt.duration_s,
    )
