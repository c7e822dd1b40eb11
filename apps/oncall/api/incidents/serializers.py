"""The shape of an incident's spec."""

from typing import Any

from rest_framework import serializers

from apps.notifications.services.matchers import MatcherError, parse_matcher
from apps.oncall.enums import IncidentSeverity, IncidentStatus

MOST_ROLES = 20
MOST_NAMES = 500


class IncidentSpecSerializer(serializers.Serializer[Any]):
    """``spec`` of an Incident."""

    title = serializers.CharField(max_length=200)
    summary = serializers.CharField(max_length=20_000, allow_blank=True, default="")
    severity = serializers.ChoiceField(
        choices=IncidentSeverity.choices, default=IncidentSeverity.MAJOR.value
    )
    status = serializers.ChoiceField(
        choices=IncidentStatus.choices, default=IncidentStatus.INVESTIGATING.value
    )
    roles = serializers.DictField(child=serializers.CharField(max_length=80), default=dict)
    matchers = serializers.ListField(child=serializers.CharField(max_length=2048), default=list)

    def validate_roles(self, value: dict[str, str]) -> dict[str, str]:
        """Bound the number and their names."""
        if len(value) > MOST_ROLES or any(not 0 < len(role) <= len("x" * 60) for role in value):
            raise serializers.ValidationError(f"At most {MOST_ROLES} roles of 60 letters.")
        return value

    def validate_matchers(self, value: list[str]) -> list[str]:
        """Read each."""
        for text in value:
            try:
                parse_matcher(text)
            except MatcherError as error:
                raise serializers.ValidationError(str(error)) from error
        return value


class NoteSerializer(serializers.Serializer[Any]):
    """A note."""

    text = serializers.CharField(max_length=10_000)


class GatherSerializer(serializers.Serializer[Any]):
    """Alerts to add, by name."""

    names = serializers.ListField(
        child=serializers.CharField(max_length=63), allow_empty=False, max_length=MOST_NAMES
    )
