"""How deliveries are shown."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apps.notifications.enums import DeliveryStatus
from apps.notifications.models import Delivery
from apps.notifications.services.decision import Reason

_LOOKS: Mapping[str, tuple[str, str]] = {
    DeliveryStatus.DELIVERED: ("delivered", "Delivered"),
    DeliveryStatus.FAILED: ("failed", "Failed"),
    DeliveryStatus.SUPERSEDED: ("superseded", "Replaced"),
}


@dataclass(frozen=True, slots=True)
class ShownStatus:
    """A status with the retries taken into account; ``state`` is one of the pages' looks."""

    status: str
    attempts: int

    @property
    def state(self) -> str:
        """The look."""
        return self._look[0]

    @property
    def label(self) -> str:
        """The word."""
        return self._look[1]

    @property
    def _look(self) -> tuple[str, str]:
        waiting = ("retrying", "Retrying") if self.attempts else ("queued", "Waiting")
        return _LOOKS.get(self.status, waiting)


@dataclass(frozen=True, slots=True)
class ShownDelivery:
    """One line of the log."""

    delivery: Any

    @property
    def status(self) -> ShownStatus:
        """What became of it."""
        return ShownStatus(self.delivery.status, self.delivery.attempts)

    @property
    def labels(self) -> Mapping[str, str]:
        """The labels of its group."""
        labels: Mapping[str, str] = self.delivery.group_labels or {}
        return labels

    @property
    def told(self) -> str:
        """How many alerts it told about."""
        parts = [
            f"{len(which)} {word}"
            for which, word in (
                (self.delivery.firing, "firing"),
                (self.delivery.resolved, "resolved"),
            )
            if which
        ]
        return ", ".join(parts)

    @property
    def problem(self) -> str:
        """The last error of one that is not delivered."""
        return "" if self.delivery.status == DeliveryStatus.DELIVERED else self.delivery.error


@dataclass(frozen=True, slots=True)
class ShownAttempt:
    """One attempt of a delivery."""

    entry: Mapping[str, Any]

    @property
    def state(self) -> str:
        """The look."""
        return "queued" if self.entry["status"] == "held" else str(self.entry["status"])

    @property
    def label(self) -> str:
        """The word, empty for the look's own."""
        return "Held back" if self.entry["status"] == "held" else ""

    @property
    def at(self) -> datetime:
        """When it ended."""
        return datetime.fromisoformat(self.entry["at"])

    @property
    def reason(self) -> str:
        """In which way it failed."""
        reason = str(self.entry.get("reason", ""))
        return _FAILURES.get(reason, reason)


_FAILURES: Mapping[str, str] = {
    "rateLimit": "The receiver's rate limit",
    "retryAfter": "The service asked to wait",
    "circuitOpen": "The endpoint is left alone after failures",
    "fallback": "Another contact point could not be told",
    "clientError": "The receiver refused the request",
    "serverError": "The receiver or the way to it failed",
    "authError": "The receiver did not accept the credentials",
    "rateLimited": "The receiver asked to slow down",
    "timeout": "No answer in time",
}


def reason_text(delivery: Delivery) -> str:
    """Return why it was sent, or in which way it failed."""
    name = delivery.reason.upper()
    if name in Reason.__members__:
        return Reason[name].value.capitalize()
    return _FAILURES.get(delivery.reason, delivery.reason)
