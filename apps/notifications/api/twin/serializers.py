"""What a replay is asked for, as the API's document shows it; the service reads and checks."""

from typing import Any

from rest_framework import serializers


class ReplayAlertSerializer(serializers.Serializer[Any]):
    """One alert of a file; Alertmanager's ``startsAt`` and ``endsAt`` are understood too."""

    labels = serializers.DictField(child=serializers.CharField(allow_blank=True))
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField(required=False, allow_null=True)
    rule_group = serializers.CharField(required=False)


class RoutingReplaySerializer(serializers.Serializer[Any]):
    """A window, and a proposal: manifests, or text: them, or a file of Alertmanager or Grafana."""

    since = serializers.CharField(default="7d", help_text="A time, or a duration before now.")
    until = serializers.CharField(required=False, help_text="The same; now when left out.")
    manifests = serializers.ListField(child=serializers.DictField(), required=False)
    proposed = serializers.CharField(required=False)
    without = serializers.ListField(
        child=serializers.CharField(), required=False, help_text="Silence/name, InhibitionRule/name"
    )
    alerts = ReplayAlertSerializer(many=True, required=False)
    location = serializers.CharField(default="UTC")
