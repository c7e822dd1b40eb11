"""The kind Watchdog, and the door its receivers call back."""

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.views.decorators.csrf import csrf_exempt
from rest_framework import serializers

from apps.notifications.api.serializers import DurationField
from apps.notifications.enums import WatchdogProof
from apps.notifications.models import Watchdog
from apps.notifications.services.watchdog_specs import watchdog_write
from apps.notifications.services.watchdogs import watchdog_echo, watchdog_points
from detectviz.clock import utc_now
from detectviz.contracts.durations import format_duration
from detectviz.resources.registry import ResourceKind, Write


class WatchdogSpec(serializers.Serializer[Any]):
    """Which path is watched, how often, and who is told when it fails."""

    title = serializers.CharField(max_length=200, required=False, default="", allow_blank=True)
    labels = serializers.DictField(
        child=serializers.CharField(max_length=1000), required=False, default=dict
    )
    every = DurationField(required=False, default="15m")
    within = DurationField(required=False, default="10m")
    proof = serializers.ChoiceField(
        choices=WatchdogProof.choices, required=False, default=WatchdogProof.DELIVERED.value
    )
    fallback = serializers.CharField(max_length=63, required=False, default="", allow_blank=True)
    dead_mans_switch_url = serializers.CharField(
        max_length=1000, required=False, default="", allow_blank=True
    )
    enabled = serializers.BooleanField(required=False, default=True)


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
        age_s = (utc_now() - proved_at).total_seconds() if proved_at else None
        return {
            "contact_points": watchdog_points(instance),
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


@csrf_exempt  # the signed token of the round is the credential, no session is looked at
def echo(request: HttpRequest, org: str, token: str) -> HttpResponse:
    """Take a receiver's word that a watchdog's alert arrived."""
    if request.method not in {"GET", "HEAD", "POST"}:
        return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
    is_proof = watchdog_echo(org=org, token=token, now=utc_now())
    said = "Thank you.\n" if is_proof else "There is no such round, or it is over.\n"
    return HttpResponse(said, status=200 if is_proof else 404, content_type="text/plain")
