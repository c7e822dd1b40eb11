"""The spec of a pipeline."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

NAME = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
MOST_STAGES = 20


class SecretsField(serializers.DictField):
    """Text sets a secret, null removes it, ``{"set": true}`` keeps it."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """Check each."""
        value: Mapping[str, Any] = super().to_internal_value(data)
        wrong = {
            name: ['Must be text, null to remove it, or {"set": true} to keep it.']
            for name, secret in value.items()
            if not (secret is None or isinstance(secret, str) or secret == {"set": True})
        }
        if wrong:
            raise serializers.ValidationError(wrong)
        return dict(value)


class ImporterStage(serializers.Serializer[Any]):
    """What reads."""

    importer = serializers.CharField(max_length=63)
    config = serializers.DictField(default=dict)
    secrets = SecretsField(default=dict)


class ProcessorStage(serializers.Serializer[Any]):
    """What changes."""

    name = serializers.RegexField(NAME, required=False)
    processor = serializers.CharField(max_length=63)
    config = serializers.DictField(default=dict)


class ExporterStage(serializers.Serializer[Any]):
    """What writes."""

    name = serializers.RegexField(NAME, required=False)
    exporter = serializers.CharField(max_length=63)
    config = serializers.DictField(default=dict)
    secrets = SecretsField(default=dict)


class PipelineOptions(serializers.Serializer[Any]):
    """How it runs."""

    batch_size = serializers.IntegerField(min_value=1, max_value=100_000, default=1000)
    attempts = serializers.IntegerField(min_value=1, max_value=100, default=5)
    most_errors = serializers.IntegerField(min_value=0, max_value=1_000_000_000, default=10_000)


def _options() -> dict[str, int]:
    return {"batch_size": 1000, "attempts": 5, "most_errors": 10_000}


class PipelineSpec(serializers.Serializer[Any]):
    """``spec`` of a Pipeline."""

    title = serializers.CharField(max_length=200, allow_blank=True, default="")
    steps = ProcessorStage(many=True, default=list)
    destinations = ExporterStage(many=True, allow_empty=False)
    schedule = serializers.CharField(max_length=200, allow_blank=True, default="")
    options = PipelineOptions(default=_options)
    enabled = serializers.BooleanField(default=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse more stages than a run can have threads and buffers for."""
        for group in ("steps", "destinations"):
            if len(attrs[group]) > MOST_STAGES:
                raise serializers.ValidationError({group: [f"At most {MOST_STAGES}."]})
        return attrs

    def get_fields(self) -> dict[str, Any]:
        """Add ``source``, a word serializers keep for themselves."""
        return {**super().get_fields(), "source": ImporterStage()}
