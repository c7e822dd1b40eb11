"""Signed links in notifications: what a button does, for one group's firing, for a while.

A link is a delivery and an action under an HMAC of the secret key (and, until they are taken away,
of the keys before it). Whoever holds it may do that one thing; it does nothing to a later firing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from django.conf import settings
from django.core import signing
from django.urls import reverse

from apps.notifications.models import Delivery
from apps.notifications.selectors import delivery_by_uid
from apps.notifications.services.matchers import LabelMatcher
from detectviz.contracts.notifier import ActionName, NotificationAction

SALT = "detectviz.oncall.links"
LIFETIME = timedelta(days=7)
SNOOZE = timedelta(hours=1)
SILENCE = timedelta(hours=2)
TITLES: dict[ActionName, str] = {
    "acknowledge": "Acknowledge",
    "snooze": "Snooze 1 h",
    "silence": "Silence 2 h",
    "open": "Open",
}


class LinkError(ValueError):
    """A link that is not ours, too old, or about nothing any more; the message says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """What a link asks for."""

    action: ActionName
    delivery: Delivery


def delivery_actions(delivery: Delivery) -> Sequence[NotificationAction]:
    """Return what one can do about what a delivery tells; nothing where nothing fires."""
    if not delivery.firing:
        return ()
    org = delivery.payload["org"]
    page = f"{settings.EXTERNAL_URL}/o/{org}/alerts"
    if len(delivery.firing) == 1:
        page = f"{page}/{delivery.firing[0]}"
    urls: dict[ActionName, str] = {
        "acknowledge": _url(delivery, "acknowledge"),
        "snooze": _url(delivery, "snooze"),
        "silence": _url(delivery, "silence"),
        "open": page,
    }
    return [
        NotificationAction(name=name, title=TITLES[name], url=url) for name, url in urls.items()
    ]


def link_read(token: str) -> Link:
    """Return what a token asks for; raise LinkError."""
    try:
        said = signing.loads(token, salt=SALT, max_age=LIFETIME)
    except signing.SignatureExpired as error:
        raise LinkError("This link is too old. Open the alert instead.") from error
    except signing.BadSignature as error:
        raise LinkError("This link is not one of ours.") from error
    return link_of(org_id=said["o"], delivery_uid=said["d"], action=said["a"])


def link_of(*, org_id: int, delivery_uid: str, action: str) -> Link:
    """Return what an action on a delivery asks for; raise LinkError."""
    delivery = delivery_by_uid(org_id=org_id, uid=delivery_uid)
    if delivery is None:
        raise LinkError("What this was about is long over.")
    match action:
        case "acknowledge" | "snooze" | "silence":
            return Link(action=action, delivery=delivery)
    raise LinkError("This can't be done from here.")


def token_of(delivery: Delivery, action: ActionName) -> str:
    """Return the token of a link."""
    said = {"o": delivery.org_id, "d": delivery.uid, "a": action}
    return signing.dumps(said, salt=SALT)


def delivery_matchers(delivery: Delivery) -> list[str]:
    """Return matchers of what the group of a delivery has in common, else of all its alerts."""
    labels: Mapping[str, str] = (
        delivery.payload["group_labels"] or delivery.payload["common_labels"]
    )
    return [str(LabelMatcher(name, "=", value)) for name, value in sorted(labels.items())]


def silence_form_url(link: Link) -> str:
    """Return the form in which one who signs in silences what a link is about, as they like."""
    page = reverse("notifications:silence-create", args=[link.delivery.org.name])
    query = {
        "matcher": delivery_matchers(link.delivery),
        "for": "2h",
        "comment": "From a notification: ",
    }
    return f"{page}?{urlencode(query, doseq=True)}"


def actor_name(delivery: Delivery, by: str = "") -> str:
    """Return who acts through a link: the person it was sent to, else by what way it came."""
    if delivery.contact_point.startswith("~"):
        return delivery.contact_point[1:]
    return (f"{by} via " if by else "Somebody at ") + delivery.contact_point


def is_of_this_firing(delivery: Delivery, starts_at: datetime) -> bool:
    """Say whether an alert's firing is what the delivery told of, not a later one."""
    return starts_at <= delivery.created_at


def _url(delivery: Delivery, action: ActionName) -> str:
    path = reverse("oncall-api:act", args=[token_of(delivery, action)])
    return f"{settings.EXTERNAL_URL}{path}"
