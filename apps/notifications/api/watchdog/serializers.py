"""The spec of a watchdog."""

from typing import Any

from rest_framework import serializers

from apps.notifications.api.serializers import DurationField
from apps.notifications.enums import WatchdogProof


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
