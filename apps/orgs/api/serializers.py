"""Specs of orgs and folders."""

from typing import Any

from rest_framework import serializers


class FolderSpec(serializers.Serializer[Any]):
    """A folder."""

    title = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")


class OrgSpec(serializers.Serializer[Any]):
    """An org. Only a platform administrator switches one off."""

    title = serializers.CharField(max_length=200, required=False, allow_blank=True)
    is_active = serializers.BooleanField(required=False)
