"""Find a receiver's notifier with its settings: in a contact point, or where another app keeps it.

Names of contact points begin with a letter or digit; other apps' begin with a sign of their own.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from apps.notifications.models import ContactPoint
from apps.notifications.services.configuration import receiver_secrets


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundReceiver:
    """A receiver as contact points write it, with its secrets."""

    receiver: dict[str, Any]
    secrets: dict[str, str]

    @property
    def notifier(self) -> str:
        """The plugin that tells it."""
        return str(self.receiver["notifier"])


Source = Callable[[int, str, str], FoundReceiver | None]
_sources: dict[str, Source] = {}


def receiver_source_use(sign: str, source: Source) -> None:
    """Have ``source(org_id, contact_point, receiver)`` answer for names that begin with a sign."""
    _sources[sign] = source


def receiver_find(*, org_id: int, contact_point: str, name: str) -> FoundReceiver | None:
    """Return a receiver as it is now, None when it is gone."""
    if source := _sources.get(contact_point[:1]):
        return source(org_id, contact_point, name)
    point = ContactPoint.objects.for_org(org_id).filter(name=contact_point).first()
    receivers = point.receivers if point else []
    found = next((item for item in receivers if item["name"] == name), None)
    if point is None or found is None:
        return None
    return FoundReceiver(receiver=found, secrets=receiver_secrets(name, point.secrets))
