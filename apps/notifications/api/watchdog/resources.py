"""The kind Watchdog."""

from typing import Any

from apps.notifications.api.watchdog.serializers import WatchdogSpec
from apps.notifications.models import Watchdog
from apps.notifications.services.watchdog_specs import watchdog_write
from apps.notifications.services.watchdogs import ReceiverProof, watchdog_points, watchdog_proofs
from detectviz.clock import utc_now
from detectviz.contracts.durations import format_duration
from detectviz.resources.registry import ResourceKind, Write


class WatchdogKind(ResourceKind[Watchdog]):
    """Proves again and again that alerts arrive."""

    group = "notifications"
    kind = "Watchdog"
    plural = "watchdogs"
    model = Watchdog
    permission = "watchdogs"
    spec_serializer = WatchdogSpec
    apply_order = 64

    def to_spec(self, instance: Watchdog) -> dict[str, Any]:
        """Return the spec."""
        return {
            "title": instance.title,
            "labels": instance.route_labels,
            "every": format_duration(instance.every_ms / 1000),
            "within": format_duration(instance.within_ms / 1000),
            "proof": instance.proof,
            "fallback": instance.fallback,
            "dead_mans_switch_url": instance.dead_mans_switch_url,
            "enabled": instance.is_enabled,
        }

    def to_status(self, instance: Watchdog) -> dict[str, Any]:
        """Return the last proof, and what is wrong."""
        proved_at = instance.proved_at
        proofs = watchdog_proofs(instance)
        age_s = (utc_now() - proved_at).total_seconds() if proved_at else None
        return {
            "contact_points": watchdog_points(instance),
            "receivers": [_receiver_of(each) for each in proofs],
            "proved_at": proved_at,
            "proof_age_s": age_s,
            "is_failing": instance.is_failing,
            "failing_since": instance.failing_since,
            "problem": instance.problem,
            "round": instance.round,
            "next_round_at": instance.next_round_at,
            "switch_at": instance.switch_at,
            "switch_error": instance.switch_error,
        }

    def write(self, change: Write[Watchdog]) -> Watchdog:
        """Create or change it; its next round begins at once."""
        return watchdog_write(
            org=change.org, name=change.name, spec=change.spec, instance=change.instance
        )


def _receiver_of(proof: ReceiverProof) -> dict[str, Any]:
    """Return how the last round reached one receiver; nulls and empty words where it has not."""
    told = proof.delivery
    return {
        "contact_point": proof.contact_point,
        "receiver": proof.receiver,
        "notifier": proof.notifier,
        "delivery": told.uid if told else None,
        "state": told.status if told else "",
        "finished_at": told.finished_at if told else None,
        "reading": proof.reading,
        "note": proof.answer,
    }
