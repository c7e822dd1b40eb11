"""Tell who made a silence that it ends soon: by mail, else by the org's own contact point."""

import logging
from collections.abc import Sequence
from datetime import datetime

from django.conf import settings
from django.urls import reverse

from apps.notifications.models import ContactPoint, RoutingTree, Silence
from apps.notifications.services.configuration import receiver_secrets
from apps.notifications.services.delivery import receiver_notify
from apps.notifications.services.outward import DjangoMail
from apps.notifications.services.suppression import point_receivers
from detectviz.contracts.errors import PluginError
from detectviz.contracts.notifier import MailMessage, Notification, NotifiedAlert
from detectviz.contracts.types import AlertStatus
from detectviz.resources.models import new_uid

_ACROSS = "one dispatcher serves every org"
_BATCH = 100
logger = logging.getLogger(__name__)


def silences_remind(*, now: datetime) -> int:
    """Send the reminders that are due, each once at most; return how many silences had one."""
    rows = Silence.objects.across_orgs(reason=_ACROSS).filter(remind_at__lte=now)
    due = list(rows.select_related("org", "creator").order_by("remind_at")[:_BATCH])
    reminded = 0
    for silence in due:
        # Whoever takes the timer away is the one to send.
        mine = Silence.objects.for_org(silence.org_id).filter(
            pk=silence.pk, remind_at=silence.remind_at
        )
        if mine.update(remind_at=None) and now < silence.ends_at:
            _remind(silence)
            reminded += 1
    return reminded


def _remind(silence: Silence) -> None:
    address = getattr(silence.creator, "email", "") if silence.creator else ""
    if address:
        try:
            DjangoMail().send(
                MailMessage(to=(address,), subject=_title(silence), text=_text(silence))
            )
        except PluginError as error:
            logger.warning("The reminder of a silence could not be mailed: %s", error.message)
        return
    tree = RoutingTree.objects.for_org(silence.org_id).first()
    name = tree.root.get("contact_point", "") if tree else ""
    point = ContactPoint.objects.for_org(silence.org_id).filter(name=name).first()
    for receiver in point_receivers(point):
        receiver_notify(
            notifier=receiver["notifier"],
            config=receiver["config"],
            secrets=receiver_secrets(receiver["name"], point.secrets if point else {}),
            notification=_notification(silence, name),
        )


def _notification(silence: Silence, point: str) -> Notification:
    labels = {"alertname": "SilenceEndsSoon", "silence": silence.name}
    annotations = {"summary": _title(silence), "description": _text(silence)}
    alert = NotifiedAlert(
        status=AlertStatus.FIRING,
        labels=labels,
        annotations=annotations,
        starts_at=silence.starts_at,
        ends_at=None,
        generator_url=_url(silence),
        fingerprint=silence.uid[:16],
    )
    return Notification(
        receiver=point,
        status=AlertStatus.FIRING,
        alerts=(alert,),
        group_key=f'{{}}:{{alertname="SilenceEndsSoon", silence="{silence.name}"}}',
        group_labels=labels,
        common_labels=labels,
        common_annotations=annotations,
        external_url=settings.EXTERNAL_URL,
        org=str(silence.org),
        rule_group="",
        delivery_id=f"reminder-{new_uid()}",
        url=_url(silence),
        title=_title(silence),
        text=_text(silence),
    )


def _title(silence: Silence) -> str:
    return f"Silence {silence.name} ends at {silence.ends_at:%Y-%m-%d %H:%M} UTC"


def _text(silence: Silence) -> str:
    sets: Sequence[Sequence[str]] = silence.matcher_sets
    muted = " or ".join("{" + ", ".join(texts) + "}" for texts in sets)
    said = f"\n{silence.comment}" if silence.comment else ""
    return (
        f"After that, alerts matching {muted} are told again.{said}\n"
        f"Extend it before then if it is still needed: {_url(silence)}"
    )


def _url(silence: Silence) -> str:
    page = reverse("notifications:silence-detail", args=[str(silence.org), silence.name])
    return f"{settings.EXTERNAL_URL}{page}"
