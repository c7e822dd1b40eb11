"""The folder, as a resource."""

from typing import Any

from apps.orgs.api.serializers import FolderSpec
from apps.orgs.models import Folder
from apps.orgs.services import folder_create, folder_update
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


registry.register(FolderKind())
