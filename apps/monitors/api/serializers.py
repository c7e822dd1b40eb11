"""The shape of a monitor's spec. What its plugin demands is judged by the service."""

from collections.abc import Mapping
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from detectviz.contracts.durations import DurationError, format_duration, parse_duration_s
from detectviz.resources.models import name_validator

SHORTEST_INTERVAL_S = 1.0
LONGEST_INTERVAL_S = 86_400.0
SHORTEST_TIMEOUT_S = 0.1
DEFAULT_INTERVAL_S = 60.0
DEFAULT_TIMEOUT_S = 10.0
TIMEOUT_SHARE_OF_INTERVAL = 0.8
MOST_PARENTS = 50


@extend_schema_field(OpenApiTypes.STR)
class DurationTextField(serializers.Field[float, str, str, Any]):
    """A Prometheus duration such as ``30s``; seconds inside."""

    def __init__(self, *, shortest_s: float, longest_s: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._shortest_s = shortest_s
        self._longest_s = longest_s

    def to_internal_value(self, data: object) -> float:
        """Return seconds, within bounds."""
        if not isinstance(data, str):
            raise serializers.ValidationError("Write a duration as text, like 30s or 5m.")
        try:
            seconds = parse_duration_s(data)
        except DurationError as error:
            raise serializers.ValidationError(str(error)) from error
        if not self._shortest_s <= seconds <= self._longest_s:
            bounds = f"{format_duration(self._shortest_s)} to {format_duration(self._longest_s)}"
            raise serializers.ValidationError(f"Must be from {bounds}.")
        return seconds

    def to_representation(self, value: float) -> str:
        """Return the usual spelling."""
        return format_duration(value)


@extend_schema_field(OpenApiTypes.OBJECT)
class ObjectField(serializers.Field[Mapping[str, Any], Any, Any, Any]):
    """A JSON object whose content others judge."""

    def to_internal_value(self, data: object) -> Mapping[str, Any]:
        """Refuse everything that is no object with text keys."""
        if not isinstance(data, Mapping):
            raise serializers.ValidationError("Must be an object.")
        return data

    def to_representation(self, value: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return it unchanged."""
        return value


def _limit() -> DurationTextField:
    return DurationTextField(
        shortest_s=0.001,
        longest_s=LONGEST_INTERVAL_S,
        allow_null=True,
        required=False,
        default=None,
    )


class MonitorSpecSerializer(serializers.Serializer[Any]):
    """``spec`` of a Monitor. Defaults that depend on other fields are filled in ``validate``."""

    title = serializers.CharField(max_length=200, allow_blank=True, default="")
    type = serializers.CharField(max_length=63)
    description = serializers.CharField(max_length=2000, allow_blank=True, default="")
    runbook_url = serializers.URLField(max_length=2000, allow_blank=True, default="")
    notes = serializers.CharField(max_length=20_000, allow_blank=True, default="")
    location = serializers.CharField(max_length=63, default="default", validators=[name_validator])
    interval = DurationTextField(
        shortest_s=SHORTEST_INTERVAL_S, longest_s=LONGEST_INTERVAL_S, required=False
    )
    timeout = DurationTextField(
        shortest_s=SHORTEST_TIMEOUT_S, longest_s=LONGEST_INTERVAL_S, required=False
    )
    retries = serializers.IntegerField(min_value=0, max_value=100, default=0)
    retry_interval = DurationTextField(
        shortest_s=SHORTEST_INTERVAL_S, longest_s=LONGEST_INTERVAL_S, required=False
    )
    enabled = serializers.BooleanField(default=True)
    inverted = serializers.BooleanField(default=False)
    maintenance = serializers.BooleanField(default=False)
    degraded_above = _limit()
    down_above = _limit()
    depends_on = serializers.ListField(
        child=serializers.CharField(max_length=63, validators=[name_validator]),
        default=list,
        max_length=MOST_PARENTS,
    )
    config = ObjectField(default=dict)
    secrets = ObjectField(default=dict)

    def validate_secrets(self, value: Mapping[str, Any]) -> Mapping[str, Any]:
        """Accept text, null (removes) and ``{"set": true}`` (keeps)."""
        wrong = {
            name: ['Must be text, null to remove it, or {"set": true} to keep it.']
            for name, secret in value.items()
            if not (secret is None or isinstance(secret, str) or secret == {"set": True})
        }
        if wrong:
            raise serializers.ValidationError(wrong)
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Fill dependent defaults and compare durations with the interval."""
        interval_s = attrs.setdefault("interval", DEFAULT_INTERVAL_S)
        longest_s = max(SHORTEST_TIMEOUT_S, interval_s * TIMEOUT_SHARE_OF_INTERVAL)
        attrs.setdefault("timeout", min(DEFAULT_TIMEOUT_S, longest_s))
        attrs.setdefault("retry_interval", interval_s)
        wrong: dict[str, list[str]] = {}
        for name in ("timeout", "retry_interval"):
            if attrs[name] > interval_s:
                wrong[name] = [
                    f"Must not be longer than the interval ({format_duration(interval_s)})."
                ]
        low, high = attrs["degraded_above"], attrs["down_above"]
        if low is not None and high is not None and low >= high:
            wrong["down_above"] = ["Must be longer than degraded_above."]
        if wrong:
            raise serializers.ValidationError(wrong)
        return attrs
