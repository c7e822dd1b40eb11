"""Specs of contact points and the routing tree."""

from typing import Any

from rest_framework import serializers

from apps.notifications.services.matchers import MatcherError, parse_matcher
from apps.notifications.services.rate_limits import RateLimitError, parse_rate_limit
from detectviz.contracts.durations import parse_duration_s

MAX_DEPTH = 20
MIN_GIVE_UP_S, MAX_GIVE_UP_S = 60, 30 * 86_400


class DurationField(serializers.CharField):
    """A Prometheus duration, kept as written."""

    def to_internal_value(self, data: Any) -> str:
        """Check that it is one."""
        text = super().to_internal_value(data)
        try:
            parse_duration_s(text)
        except ValueError as error:
            raise serializers.ValidationError(str(error)) from error
        return text


class ReceiverSerializer(serializers.Serializer[Any]):
    """One receiver of a contact point."""

    name = serializers.RegexField(r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$", required=False)
    notifier = serializers.CharField(max_length=63)
    config = serializers.DictField(default=dict)
    secrets = serializers.DictField(default=dict)
    send_resolved = serializers.BooleanField(required=False)
    enabled = serializers.BooleanField(default=True)
    title_template = serializers.CharField(max_length=10_000, required=False, allow_blank=True)
    text_template = serializers.CharField(max_length=60_000, required=False, allow_blank=True)
    rate_limit = serializers.CharField(max_length=40, required=False, allow_blank=True)

    def validate_rate_limit(self, value: str) -> str:
        """Check that it is ``messages/time``."""
        try:
            parse_rate_limit(value)
        except RateLimitError as error:
            raise serializers.ValidationError(str(error)) from error
        return value


class ContactPointSpec(serializers.Serializer[Any]):
    """The spec of a contact point."""

    title = serializers.CharField(max_length=200, required=False, default="", allow_blank=True)
    receivers = ReceiverSerializer(many=True)  # none: alerts that go here are told to nobody
    fallback = serializers.CharField(max_length=63, required=False, default="", allow_blank=True)
    fallback_after = DurationField(required=False, default="5m")
    give_up_after = DurationField(required=False, default="1d")

    def validate_give_up_after(self, value: str) -> str:
        """A delivery given up at once would never be tried again; without end it would wait."""
        if not MIN_GIVE_UP_S <= parse_duration_s(value) <= MAX_GIVE_UP_S:
            raise serializers.ValidationError("Must be between 1m and 30d.")
        return value


class NotificationTemplateSpec(serializers.Serializer[Any]):
    """Named Go templates, and the payload their preview is shown with."""

    title = serializers.CharField(max_length=200, required=False, default="", allow_blank=True)
    template = serializers.CharField(max_length=60_000, trim_whitespace=False)
    sample = serializers.DictField(required=False, default=dict)


class TemplatePreviewSerializer(serializers.Serializer[Any]):
    """What to preview, and with which alert; without one the built-in sample."""

    name = serializers.CharField(max_length=63, required=False, default="", allow_blank=True)
    template = serializers.CharField(max_length=60_000, trim_whitespace=False)
    expression = serializers.CharField(
        max_length=10_000, required=False, default="", allow_blank=True, trim_whitespace=False
    )
    alert = serializers.CharField(max_length=32, required=False, default="", allow_blank=True)
    delivery = serializers.CharField(max_length=32, required=False, default="", allow_blank=True)
    payload = serializers.DictField(required=False, default=dict)


class TrialSerializer(serializers.Serializer[Any]):
    """Labels and annotations of the alert that is sent as a test, over those of the sample."""

    labels = serializers.DictField(child=serializers.CharField(), required=False, default=dict)
    annotations = serializers.DictField(child=serializers.CharField(), required=False, default=dict)
    status = serializers.ChoiceField(
        choices=["firing", "resolved"], required=False, default="firing"
    )


class ReplaySerializer(serializers.Serializer[Any]):
    """Which dead letters to send again."""

    names = serializers.ListField(
        child=serializers.CharField(max_length=32), required=False, max_length=1000
    )
    contact_point = serializers.CharField(max_length=63, required=False)


class SilencePolicySerializer(serializers.Serializer[Any]):
    """What a silence of the org has to say at least; on the tree's root only."""

    min_matchers = serializers.IntegerField(min_value=1, max_value=20, required=False)
    required_labels = serializers.ListField(
        child=serializers.CharField(max_length=128), required=False
    )
    max_duration = DurationField(required=False)


class RouteField(serializers.DictField):
    """A child route: the same fields as the root, checked by the same serializer, recursively."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """Validate with a serializer of its own, as DRF can't nest a serializer in itself."""
        value = super().to_internal_value(data)
        depth = self.context.get("depth", 0) + 1
        if depth > MAX_DEPTH:
            raise serializers.ValidationError(f"Routes nest at most {MAX_DEPTH} levels.")
        unknown = set(value) - set(RouteSerializer().fields)
        if unknown:
            raise serializers.ValidationError(
                {name: ["Unknown field."] for name in sorted(unknown)}
            )
        child = RouteSerializer(data=value, context={**self.context, "depth": depth})
        child.is_valid(raise_exception=True)
        return dict(child.validated_data)


class RouteSerializer(serializers.Serializer[Any]):
    """A node of the tree, in Alertmanager's terms (``receiver`` is our contact point)."""

    contact_point = serializers.CharField(max_length=63, required=False, allow_blank=True)
    matchers = serializers.ListField(child=serializers.CharField(max_length=2048), required=False)
    group_by = serializers.ListField(child=serializers.CharField(max_length=128), required=False)
    group_wait = DurationField(required=False)
    group_interval = DurationField(required=False)
    repeat_interval = DurationField(required=False)
    escalation = serializers.CharField(max_length=63, required=False, allow_blank=True)
    mute_time_intervals = serializers.ListField(
        child=serializers.CharField(max_length=63), required=False
    )
    active_time_intervals = serializers.ListField(
        child=serializers.CharField(max_length=63), required=False
    )
    notify_resolved_while_muted = serializers.BooleanField(required=False)
    resolve_immediately = serializers.BooleanField(required=False)
    silence_policy = SilencePolicySerializer(required=False)
    resolve_timeout = DurationField(required=False)
    routes = serializers.ListField(child=RouteField(), required=False)

    def get_fields(self) -> dict[str, Any]:
        """Add ``continue``, a word Python keeps for itself."""
        return {**super().get_fields(), "continue": serializers.BooleanField(required=False)}

    def validate_matchers(self, value: list[str]) -> list[str]:
        """Read each matcher."""
        for text in value:
            try:
                parse_matcher(text)
            except MatcherError as error:
                raise serializers.ValidationError(str(error)) from error
        return value

    def validate_group_interval(self, value: str) -> str:
        """A group interval of zero would flush without end; other times of zero mean nothing."""
        if parse_duration_s(value) <= 0:
            raise serializers.ValidationError("Must be more than zero.")
        return value

    validate_repeat_interval = validate_resolve_timeout = validate_group_interval


class RouteExplainSerializer(serializers.Serializer[Any]):
    """Labels to explain, at a time (now) by the clocks of a place."""

    labels = serializers.DictField(child=serializers.CharField())
    at = serializers.CharField(max_length=40, required=False, default="", allow_blank=True)
    location = serializers.CharField(max_length=63, required=False, default="UTC")
