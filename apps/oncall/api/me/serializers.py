"""How somebody wants to be told, as they write it."""

from typing import Any
from zoneinfo import available_timezones

from rest_framework import serializers

from apps.oncall.api.serializers import ClockField
from apps.oncall.services.preferences import SEVERITIES
from detectviz.contracts.durations import DurationError, parse_duration_s

MOST_RULES = 100
LONGEST_DELAY_S = 86_400


class ContactMethodSpec(serializers.Serializer[Any]):
    """A notifier with its settings; a secret of ``{"set": true}`` stays as it was."""

    notifier = serializers.CharField(max_length=63)
    config = serializers.DictField(default=dict)
    secrets = serializers.DictField(default=dict)


class DelayField(serializers.CharField):
    """How long to wait, ``5m``."""

    def to_internal_value(self, data: Any) -> str:
        """Check that it is a duration of a day at most."""
        text = super().to_internal_value(data)
        try:
            seconds = parse_duration_s(text)
        except DurationError as error:
            raise serializers.ValidationError(str(error)) from error
        if not 0 <= seconds <= LONGEST_DELAY_S:
            raise serializers.ValidationError("A day at most.")
        return text


class PreferenceRuleSerializer(serializers.Serializer[Any]):
    """Use a method for some severities (none: for all) after a delay."""

    method = serializers.CharField(max_length=63)
    severities = serializers.ListField(
        child=serializers.ChoiceField(choices=SEVERITIES), default=list, max_length=len(SEVERITIES)
    )
    delay = DelayField(default="0s")


class QuietHoursSerializer(serializers.Serializer[Any]):
    """When only ``except`` breaks through; without start and end never."""

    time_zone = serializers.CharField(max_length=63, default="UTC")
    start = ClockField(default="", allow_blank=True)
    end = ClockField(default="", allow_blank=True)

    def get_fields(self) -> dict[str, Any]:
        """Add ``except``, a word Python keeps for itself."""
        chosen = serializers.ListField(
            child=serializers.ChoiceField(choices=SEVERITIES), default=lambda: ["critical"]
        )
        return {**super().get_fields(), "except": chosen}

    def validate_time_zone(self, value: str) -> str:
        """Check that it is known."""
        if value not in available_timezones():
            raise serializers.ValidationError("Use an IANA name such as Europe/Berlin.")
        return value


class PreferenceSpec(serializers.Serializer[Any]):
    """Rules by severity, and quiet hours."""

    rules = PreferenceRuleSerializer(many=True, default=list)
    quiet = QuietHoursSerializer(default=dict)

    def validate_rules(self, value: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Bound the number."""
        if len(value) > MOST_RULES:
            raise serializers.ValidationError(f"At most {MOST_RULES} rules.")
        return value
