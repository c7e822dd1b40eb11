"""The spec of a datasource."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from rest_framework import serializers

from apps.datasources.enums import DatasourceAccess


class ObjectField(serializers.DictField):
    """An object, described to the plugin's schema and not here."""


class DatasourceSpec(serializers.Serializer[Any]):
    """``spec`` of a Datasource. What json_data and the secrets may hold, the plugin says."""

    title = serializers.CharField(max_length=200, allow_blank=True, default="")
    type = serializers.CharField(max_length=63)
    uid = serializers.RegexField(r"^[A-Za-z0-9_-]{1,40}\Z", required=False)
    access = serializers.ChoiceField(
        choices=DatasourceAccess.choices, default=DatasourceAccess.PROXY
    )
    url = serializers.CharField(max_length=2048, allow_blank=True, default="")
    user = serializers.CharField(max_length=255, allow_blank=True, default="")
    database = serializers.CharField(max_length=255, allow_blank=True, default="")
    basic_auth = serializers.BooleanField(default=False)
    basic_auth_user = serializers.CharField(max_length=255, allow_blank=True, default="")
    is_default = serializers.BooleanField(default=False)
    json_data = ObjectField(default=dict)
    secure_json_data = ObjectField(default=dict)

    def get_fields(self) -> dict[str, Any]:
        """Add ``read_only``, a word serializers keep for themselves."""
        return {**super().get_fields(), "read_only": serializers.BooleanField(required=False)}

    def validate_url(self, value: str) -> str:
        """Refuse what is no address, and passwords where everybody can read them."""
        try:
            parts = urlsplit(value if "//" in value else f"//{value}")
            has_password = parts.password is not None
        except ValueError as error:
            raise serializers.ValidationError(f"This is no address: {error}.") from error
        if has_password:
            raise serializers.ValidationError(
                "Take the password out of the URL: it belongs to secure_json_data."
            )
        return value

    def validate_secure_json_data(self, value: Mapping[str, Any]) -> Mapping[str, Any]:
        """Accept text, null (removes) and ``{"set": true}`` (keeps)."""
        wrong = {
            name: ['Must be text, null to remove it, or {"set": true} to keep it.']
            for name, secret in value.items()
            if not (secret is None or isinstance(secret, str) or secret == {"set": True})
        }
        if wrong:
            raise serializers.ValidationError(wrong)
        return value
