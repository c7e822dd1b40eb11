"""Specs of silences, inhibition rules and time intervals."""

from typing import Any

from rest_framework import serializers

from apps.notifications.api.serializers import DurationField
from apps.notifications.services.matchers import MatcherError, parse_matcher
from apps.notifications.services.time_intervals import IntervalError, interval_of

MAX_MATCHERS = 50


class MatcherField(serializers.CharField):
    """A matcher in classic or UTF-8 syntax, kept as written."""

    def to_internal_value(self, data: Any) -> str:
        """Check that it can be read."""
        text = super().to_internal_value(data)
        try:
            parse_matcher(text)
        except MatcherError as error:
            raise serializers.ValidationError(str(error)) from error
        return text


class MatcherListField(serializers.ListField):
    """Matchers that are AND-ed."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            child=MatcherField(max_length=2048),
            allow_empty=False,
            max_length=MAX_MATCHERS,
            **options,
        )


class RecurrenceSerializer(serializers.Serializer[Any]):
    """When a silence recurs: an RFC 5545 rule, counted from starts_at, until ends_at."""

    rrule = serializers.CharField(max_length=500)
    duration = DurationField()
    location = serializers.CharField(max_length=63, default="UTC")


class SilenceSpec(serializers.Serializer[Any]):
    """The spec of a silence; ``matchers`` is short for one entry of ``matcher_sets``."""

    title = serializers.CharField(max_length=200, required=False, default="", allow_blank=True)
    matchers = MatcherListField(required=False)
    matcher_sets = serializers.ListField(
        child=MatcherListField(), required=False, allow_empty=False, max_length=MAX_MATCHERS
    )
    starts_at = serializers.DateTimeField(required=False)
    ends_at = serializers.DateTimeField()
    comment = serializers.CharField(max_length=5000, default="", allow_blank=True)
    created_by = serializers.CharField(max_length=200, default="", allow_blank=True)
    annotations = serializers.DictField(
        child=serializers.CharField(max_length=5000, allow_blank=True), default=dict
    )
    recurrence = RecurrenceSerializer(required=False)
    remind_before = DurationField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Want matchers in one of the two ways."""
        if ("matchers" in attrs) == ("matcher_sets" in attrs):
            raise serializers.ValidationError(
                {"matchers": ["Write matchers, or matcher_sets for several that are OR-ed."]}
            )
        return attrs


class MatcherSetsSerializer(serializers.Serializer[Any]):
    """Matchers to try."""

    matchers = MatcherListField(required=False)
    matcher_sets = serializers.ListField(
        child=MatcherListField(), required=False, allow_empty=False, max_length=MAX_MATCHERS
    )
    days = serializers.IntegerField(min_value=1, max_value=90, default=30)
    folder = serializers.CharField(max_length=63, default="", allow_blank=True)

    validate = SilenceSpec.validate


class InhibitionRuleSpec(serializers.Serializer[Any]):
    """The spec of an inhibition rule, in Alertmanager's terms."""

    title = serializers.CharField(max_length=200, required=False, default="", allow_blank=True)
    source_matchers = MatcherListField()
    target_matchers = MatcherListField()
    equal = serializers.ListField(child=serializers.CharField(max_length=128), default=list)
    enabled = serializers.BooleanField(default=True)


class TimeRangeSerializer(serializers.Serializer[Any]):
    """A span of the day; the end is excluded."""

    start_time = serializers.CharField(max_length=5)
    end_time = serializers.CharField(max_length=5)


def _ranges() -> serializers.ListField:
    return serializers.ListField(
        child=serializers.CharField(max_length=30), required=False, max_length=100
    )


class IntervalSerializer(serializers.Serializer[Any]):
    """One interval, in Alertmanager's terms; a field that is left out restricts nothing."""

    times: serializers.ListSerializer[Any] = serializers.ListSerializer(
        child=TimeRangeSerializer(), required=False, max_length=100
    )
    weekdays = _ranges()
    days_of_month = _ranges()
    months = _ranges()
    years = _ranges()
    location = serializers.CharField(max_length=63, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Read it as the dispatcher will."""
        try:
            interval_of(attrs)
        except IntervalError as error:
            raise serializers.ValidationError({error.field: [str(error)]}) from error
        return attrs


class TimeIntervalSpec(serializers.Serializer[Any]):
    """The spec of named times."""

    title = serializers.CharField(max_length=200, required=False, default="", allow_blank=True)
    time_intervals = serializers.ListField(
        child=IntervalSerializer(), allow_empty=False, max_length=100
    )
