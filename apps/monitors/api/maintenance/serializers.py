"""The spec of maintenance windows."""

from datetime import datetime
from typing import Any

from rest_framework import serializers

from apps.monitors.api.serializers import DurationTextField
from apps.monitors.enums import WindowStrategy
from apps.monitors.services.windows import WEEKDAYS

SHORTEST_S, LONGEST_S = 60.0, 31 * 86_400.0
MOST_NAMES = 500
MOST_MATCHERS = 50
EARLIEST_YEAR, LATEST_YEAR = 2000, 2200


class MomentField(serializers.DateTimeField):
    """A time within two centuries, so that a window can be counted with."""

    def to_internal_value(self, value: Any) -> datetime:
        """Refuse what lies far away."""
        moment: datetime = super().to_internal_value(value)
        if not EARLIEST_YEAR <= moment.year <= LATEST_YEAR:
            raise serializers.ValidationError(
                f"The year must be from {EARLIEST_YEAR} to {LATEST_YEAR}."
            )
        return moment


class DayField(serializers.IntegerField):
    """A day of the month, from its end when negative."""

    def to_internal_value(self, data: Any) -> int:
        """Refuse zero."""
        day = super().to_internal_value(data)
        if not day:
            raise serializers.ValidationError("Days go from 1 to 31, or from -1 (the last) to -31.")
        return day


class MaintenanceWindowSpec(serializers.Serializer[Any]):
    """The spec of a maintenance window; what belongs to other strategies stays empty."""

    title = serializers.CharField(max_length=200, required=False, default="", allow_blank=True)
    enabled = serializers.BooleanField(default=True)
    strategy = serializers.ChoiceField(choices=WindowStrategy.choices)
    starts_at = MomentField(required=False, allow_null=True, default=None)
    ends_at = MomentField(required=False, allow_null=True, default=None)
    cron = serializers.CharField(max_length=200, required=False, default="", allow_blank=True)
    weekdays = serializers.ListField(
        child=serializers.ChoiceField(choices=WEEKDAYS), default=list, max_length=len(WEEKDAYS)
    )
    days = serializers.ListField(
        child=DayField(min_value=-31, max_value=31), default=list, max_length=62
    )
    nth_weekdays = serializers.ListField(
        child=serializers.CharField(max_length=30), default=list, max_length=42
    )
    start_time = serializers.RegexField(r"^([01][0-9]|2[0-3]):[0-5][0-9]$", default="00:00")
    duration = DurationTextField(
        shortest_s=SHORTEST_S, longest_s=LONGEST_S, required=False, allow_null=True, default=None
    )
    location = serializers.CharField(max_length=63, default="UTC")
    all_monitors = serializers.BooleanField(default=False)
    monitors = serializers.ListField(
        child=serializers.CharField(max_length=63), default=list, max_length=MOST_NAMES
    )
    selector = serializers.CharField(max_length=1000, required=False, default="", allow_blank=True)
    folders = serializers.ListField(
        child=serializers.CharField(max_length=63), default=list, max_length=MOST_NAMES
    )
    matchers = serializers.ListField(
        child=serializers.CharField(max_length=2048), default=list, max_length=MOST_MATCHERS
    )
    collect = serializers.BooleanField(default=True)
    note = serializers.CharField(max_length=2000, required=False, default="", allow_blank=True)
