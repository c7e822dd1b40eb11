"""Does what a link or a button of a chat asks for, once it is known to be genuine."""

from collections.abc import Callable, Mapping
from datetime import datetime

from django.db import transaction

from apps.alerting.enums import AlertState
from apps.alerting.selectors import alerts_by_fingerprint
from apps.alerting.services.handling import (
    Actor,
    Subject,
    alerts_acknowledge,
    alerts_snooze,
    subject_of,
)
from apps.notifications.services.silences import SilenceDraft, silence_write
from apps.oncall.services.links import (
    SILENCE,
    SNOOZE,
    Link,
    LinkError,
    actor_name,
    delivery_matchers,
    is_of_this_firing,
)
from detectviz.events.bus import publish
from detectviz.events.types import SecurityEventOccurred
from detectviz.resources.models import new_uid

_FIRING = (AlertState.FIRING, AlertState.RECOVERING)


def link_alerts(link: Link) -> list[Subject]:
    """Return the alerts of the delivery that fire since before it."""
    found = alerts_by_fingerprint(link.delivery.org_id, link.delivery.firing, states=_FIRING)
    subjects = [subject_of(alert) for alert in found]
    return [one for one in subjects if is_of_this_firing(link.delivery, one.began_at)]


@transaction.atomic
def link_act(*, link: Link, now: datetime, by: str = "") -> str:
    """Do what a link asks for; return what to say. Raises LinkError when all is over."""
    alerts = link_alerts(link)
    if not alerts:
        raise LinkError("What this was about is over.")
    actor = Actor(name=actor_name(link.delivery, by)[:150])
    return _ACTS[link.action](link, alerts, actor, now)


def _acknowledge(link: Link, alerts: list[Subject], actor: Actor, now: datetime) -> str:
    done = alerts_acknowledge(org=link.delivery.org, actor=actor, alerts=alerts, now=now)
    return f"Acknowledged: {done} of {len(alerts)}."


def _snooze(link: Link, alerts: list[Subject], actor: Actor, now: datetime) -> str:
    done = alerts_snooze(
        org=link.delivery.org, actor=actor, alerts=alerts, now=now, until=now + SNOOZE
    )
    return f"Snoozed for an hour: {done} of {len(alerts)}."


def _silence(link: Link, alerts: list[Subject], actor: Actor, now: datetime) -> str:
    """Silence what the group had in common; its labels, else those all its alerts share."""
    matchers = delivery_matchers(link.delivery)
    if not matchers:
        raise LinkError("These alerts have no label in common to silence them by.")
    silence = silence_write(
        org=link.delivery.org,
        name=f"link-{new_uid()}",
        draft=SilenceDraft(
            matcher_sets=[matchers],
            starts_at=now,
            ends_at=now + SILENCE,
            comment="From a notification",
            created_by=actor.name,
        ),
        instance=None,
        actor=None,
        now=now,
    )
    publish(
        SecurityEventOccurred(
            action="silence.create-by-link",
            org_id=link.delivery.org_id,
            actor_id=None,
            kind="Silence",
            name=silence.name,
            uid=silence.uid,
            details={"matchers": matchers, "by": actor.name, "delivery": link.delivery.uid},
        )
    )
    return f"Silenced for two hours: {', '.join(matchers)}."


_ACTS: Mapping[str, Callable[[Link, list[Subject], Actor, datetime], str]] = {
    "acknowledge": _acknowledge,
    "snooze": _snooze,
    "silence": _silence,
}
