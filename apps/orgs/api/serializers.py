"""Specs of folders."""

from typing import Any

from rest_framework import serializers


class FolderSpec(serializers.Serializer[Any]):
    """A folder."""

    title = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")
