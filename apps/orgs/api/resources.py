"""The folder, as a resource."""

from typing import Any

from apps.orgs.api.serializers import FolderSpec, QuotaSpec
from apps.orgs.models import Folder, Quota
from apps.orgs.selectors import QUOTA_FIELDS, QUOTA_NAME
from apps.orgs.services import folder_create, folder_update, quota_write
from detectviz.resources.registry import ResourceKind, Write, registry


class FolderKind(ResourceKind[Folder]):
    """A container for permissions."""

    group = "core"
    kind = "Folder"
    plural = "folders"
    model = Folder
    permission = "folders"
    spec_serializer = FolderSpec
    apply_order = 10

    def to_spec(self, instance: Folder) -> dict[str, Any]:
        """Return the title."""
        return {"title": instance.title}

    def write(self, change: Write[Folder]) -> Folder:
        """Create or rename."""
        title = change.spec["title"]
        if change.instance is None:
            return folder_create(org=change.org, name=change.name, title=title)
        return folder_update(folder=change.instance, title=title)


class QuotaKind(ResourceKind[Quota]):
    """Limits and retentions of an org's time series. One per org, written by the platform."""

    group = "core"
    kind = "Quota"
    plural = "quotas"
    model = Quota
    permission = "quotas"
    spec_serializer = QuotaSpec
    singleton_name = QUOTA_NAME
    apply_order = 11

    def to_spec(self, instance: Quota) -> dict[str, Any]:
        """Return the limits as written."""
        return {field: getattr(instance, field) for field in QUOTA_FIELDS}

    def write(self, change: Write[Quota]) -> Quota:
        """Create or change."""
        return quota_write(
            org=change.org, name=change.name, limits=change.spec, instance=change.instance
        )


registry.register(FolderKind())
registry.register(QuotaKind())
