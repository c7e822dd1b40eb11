"""The registration of ``datasources/v1 Datasource``."""

from typing import Any, ClassVar

from django.db import models

from apps.datasources.api.serializers import DatasourceSpec
from apps.datasources.api.views import handle_health
from apps.datasources.models import Datasource
from apps.datasources.services.datasources import datasource_delete, datasource_write, draft_of
from apps.extensions.services import secrets_masked
from detectviz.contracts.types import PluginKind
from detectviz.resources.registry import ResourceKind, Subresource, Write, registry


class DatasourceKind(ResourceKind[Datasource]):
    """Connections to outside systems."""

    group = "datasources"
    kind = "Datasource"
    plural = "datasources"
    model = Datasource
    permission = "datasources"
    spec_serializer = DatasourceSpec
    apply_order = 30
    search_fields = ("name", "title", "type", "url")
    field_selectors: ClassVar[dict[str, str]] = {
        "spec.type": "type",
        "spec.uid": "uid",
        "spec.title": "title",
        "spec.is_default": "is_default",
        "spec.read_only": "read_only",
        "status.health": "health_status",
    }

    subresources: ClassVar[tuple[Subresource, ...]] = (
        Subresource(
            name="health",
            method="POST",
            permission="query",
            handler=handle_health,
            summary="Check now whether the datasource works.",
        ),
    )

    def to_spec(self, instance: Datasource) -> dict[str, Any]:
        """Return the spec, secrets masked."""
        return {
            "title": instance.title,
            "type": instance.type,
            "uid": instance.uid,
            "access": instance.access,
            "url": instance.url,
            "user": instance.user,
            "database": instance.database,
            "basic_auth": instance.basic_auth,
            "basic_auth_user": instance.basic_auth_user,
            "is_default": instance.is_default,
            "read_only": instance.read_only,
            "json_data": dict(instance.json_data),
            "secure_json_data": secrets_masked(
                kind=PluginKind.DATASOURCE,
                name=instance.type,
                secrets=instance.secure_json_data,
            ),
        }

    def to_status(self, instance: Datasource) -> dict[str, Any]:
        """Return what the last health check found and where a provisioned one comes from."""
        checked = instance.health_checked_at
        return {
            "health": instance.health_status or "unknown",
            "health_message": instance.health_message,
            "health_checked_at": checked.isoformat(timespec="seconds") if checked else None,
            "provisioned_from": instance.provisioned_from,
        }

    def write(self, change: Write[Datasource]) -> Datasource:
        """Check it by its plugin's schema and store it."""
        return datasource_write(
            org=change.org,
            actor=change.actor,
            draft=draft_of(
                change.spec,
                name=change.name,
                labels=change.labels,
                folder=change.folder,
                instance=change.instance,
            ),
            instance=change.instance,
        )

    def remove(self, instance: Datasource, *, actor: models.Model | None) -> None:
        """Delete, unless a file keeps it."""
        datasource_delete(datasource=instance)


registry.register(DatasourceKind())
