"""What a run of a tool is sent."""

from typing import Any

from rest_framework import serializers


class ToolRunSpec(serializers.Serializer[Any]):
    """What a tool is asked; its schema says which fields there are."""

    config = serializers.DictField(required=False, default=dict)


class ToolRunRequest(serializers.Serializer[Any]):
    """One run."""

    spec = ToolRunSpec()
