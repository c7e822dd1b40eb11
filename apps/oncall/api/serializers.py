"""The shape of specs."""

from collections.abc import Mapping
from datetime import date, time
from typing import Any
from zoneinfo import available_timezones

from rest_framework import serializers

from apps.oncall.services.policies import TARGETS
from apps.oncall.services.rotations import RotationUnit
from apps.oncall.services.schedules import WEEKDAYS
from apps.oncall.services.signatures import chat_titles
from detectviz.contracts.durations import DurationError, parse_duration_s

MOST_LAYERS = 20
MOST_PARTICIPANTS = 100
MOST_STEPS = 20
LONGEST_KEY = 1000
LONGEST_WAIT_S = 7 * 86_400
EARLIEST_YEAR, LATEST_YEAR = 1970, 2200


class ClockField(serializers.CharField):
    """A time of day, ``09:30``."""

    def to_internal_value(self, data: Any) -> str:
        """Return it with two digits each."""
        text = super().to_internal_value(data)
        try:
            found = time.fromisoformat(text)
        except ValueError as error:
            raise serializers.ValidationError("Write a time of day such as 09:30.") from error
        if found.tzinfo or found.second or found.microsecond:
            raise serializers.ValidationError("Write hours and minutes alone.")
        return f"{found:%H:%M}"


class DayField(serializers.CharField):
    """A date, ``2026-01-31``; kept as text, which YAML may have read as a date."""

    def to_internal_value(self, data: Any) -> str:
        """Return it in ISO form."""
        text = data.isoformat()[:10] if isinstance(data, date) else super().to_internal_value(data)
        try:
            day = date.fromisoformat(text)
        except ValueError as error:
            raise serializers.ValidationError("Write a date such as 2026-01-31.") from error
        if not EARLIEST_YEAR <= day.year <= LATEST_YEAR:  # clocks of places end with year 9999
            raise serializers.ValidationError(
                f"The year must be from {EARLIEST_YEAR} to {LATEST_YEAR}."
            )
        return day.isoformat()


class RestrictionSerializer(serializers.Serializer[Any]):
    """When a layer is in force; without days every day."""

    days = serializers.ListField(
        child=serializers.ChoiceField(choices=WEEKDAYS), default=lambda: list(WEEKDAYS)
    )
    start = ClockField(default="00:00")
    end = ClockField(default="00:00")


class LayerSerializer(serializers.Serializer[Any]):
    """Participants who take turns."""

    name = serializers.CharField(max_length=100)
    participants = serializers.ListField(
        child=serializers.CharField(max_length=80), allow_empty=False, max_length=MOST_PARTICIPANTS
    )
    unit = serializers.ChoiceField(
        choices=[unit.value for unit in RotationUnit], default=RotationUnit.WEEKS.value
    )
    length = serializers.IntegerField(min_value=1, max_value=10_000, default=1)
    starts_on = DayField()
    ends_on = DayField(required=False, allow_null=True)
    handover = ClockField(default="09:00")
    weekday = serializers.ChoiceField(choices=WEEKDAYS, default=WEEKDAYS[0])
    restrictions = RestrictionSerializer(many=True, default=list)

    def validate(self, attrs: Mapping[str, Any]) -> dict[str, Any]:
        """Refuse a layer that ends before it starts."""
        ends_on = attrs.get("ends_on")
        if ends_on and ends_on <= attrs["starts_on"]:
            raise serializers.ValidationError({"ends_on": ["Must come after starts_on."]})
        return dict(attrs)


class ScheduleSpecSerializer(serializers.Serializer[Any]):
    """``spec`` of an OnCallSchedule."""

    title = serializers.CharField(max_length=200, allow_blank=True, default="")
    description = serializers.CharField(max_length=1000, allow_blank=True, default="")
    time_zone = serializers.CharField(max_length=64, default="UTC")
    layers = LayerSerializer(many=True, default=list)

    def validate_time_zone(self, value: str) -> str:
        """Refuse what is no IANA name."""
        if value not in available_timezones():
            raise serializers.ValidationError("Use an IANA name such as Europe/Berlin.")
        return value

    def validate_layers(self, value: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Bound the number and have each layer its own name."""
        names = [layer["name"] for layer in value]
        if len(value) > MOST_LAYERS:
            raise serializers.ValidationError(f"At most {MOST_LAYERS} layers.")
        if len(set(names)) != len(names):
            raise serializers.ValidationError("Two layers have the same name.")
        return value


class OverrideSerializer(serializers.Serializer[Any]):
    """Somebody for a while."""

    participant = serializers.CharField(max_length=80)
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()


class OverrideEndSerializer(serializers.Serializer[Any]):
    """The override to take away."""

    override = serializers.CharField(max_length=32)


class TargetSerializer(serializers.Serializer[Any]):
    """One of a schedule, a user, a team, a contact point."""

    schedule = serializers.CharField(max_length=63, required=False)
    user = serializers.CharField(max_length=63, required=False)
    team = serializers.CharField(max_length=63, required=False)
    contact_point = serializers.CharField(max_length=63, required=False)

    def validate(self, attrs: Mapping[str, Any]) -> dict[str, Any]:
        """Take just one."""
        if len(attrs) != 1:
            raise serializers.ValidationError(f"Name one of {', '.join(TARGETS)}.")
        return dict(attrs)


class WaitField(serializers.CharField):
    """A Prometheus duration of at most a week."""

    def to_internal_value(self, data: Any) -> str:
        """Check that it is one."""
        text = super().to_internal_value(data)
        try:
            seconds = parse_duration_s(text)
        except DurationError as error:
            raise serializers.ValidationError(str(error)) from error
        if not 0 <= seconds <= LONGEST_WAIT_S:
            raise serializers.ValidationError("At most a week.")
        return text


class StepSerializer(serializers.Serializer[Any]):
    """Whom to tell, and how long to wait for an answer before the next step."""

    targets = TargetSerializer(many=True, allow_empty=False)
    wait = WaitField(default="5m")


class PolicySpecSerializer(serializers.Serializer[Any]):
    """``spec`` of an EscalationPolicy."""

    title = serializers.CharField(max_length=200, allow_blank=True, default="")
    description = serializers.CharField(max_length=1000, allow_blank=True, default="")
    steps = StepSerializer(many=True, allow_empty=False)
    repeat = serializers.IntegerField(min_value=0, max_value=100, default=0)

    def validate_steps(self, value: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Bound the number."""
        if len(value) > MOST_STEPS:
            raise serializers.ValidationError(f"At most {MOST_STEPS} steps.")
        return value


class CallbackSpecSerializer(serializers.Serializer[Any]):
    """``spec`` of a ChatCallback. ``secrets.key`` is that of the service.

    ``service`` is a notifier that takes presses, or ``generic``: signed our way.
    """

    title = serializers.CharField(max_length=200, allow_blank=True, default="")
    service = serializers.CharField(max_length=63)
    secrets = serializers.DictField(default=dict)
    enabled = serializers.BooleanField(default=True)

    def validate_service(self, value: str) -> str:
        """Take a service whose presses are understood."""
        known = chat_titles()
        if value not in known:
            raise serializers.ValidationError(f"Choose one of {', '.join(known)}.")
        return value

    def validate_secrets(self, value: dict[str, Any]) -> dict[str, Any]:
        """Take a key alone, given or said to be set."""
        if set(value) - {"key"}:
            raise serializers.ValidationError("There is one secret: key.")
        key = value.get("key", {"set": True})
        if not (key == {"set": True} or (isinstance(key, str) and 0 < len(key) <= LONGEST_KEY)):
            raise serializers.ValidationError({"key": ["Write it as text."]})
        return value
