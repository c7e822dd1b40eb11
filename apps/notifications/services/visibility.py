"""Which alerts somebody may be told of, where many are looked at together."""

from django.db import models

from apps.alerting.selectors import rulegroup_folders
from detectviz.permissions.access import Access
from detectviz.resources.services import folder_get


class AlertVisibility:
    """Says by its rule group whether an alert may be shown.

    With a ``folder`` only alerts of that folder's rule groups are; one query, or none for those
    who may read every alert.
    """

    def __init__(self, *, org: models.Model, access: Access, folder: str = "") -> None:
        self._sees_all = access.allows("alerts:read")
        self._wanted = folder_get(org, folder) if folder else None
        self._is_of_folder = bool(folder)
        self._folder_ids = set(access.folder_ids("alerts:read"))
        self._folders = (
            rulegroup_folders(org.pk) if self._is_of_folder or not self._sees_all else {}
        )

    def has(self, group: str) -> bool:
        """Say whether alerts of a rule group may be shown."""
        if self._sees_all and not self._is_of_folder:
            return True
        lies_in = self._folders.get(group)
        if self._is_of_folder and (self._wanted is None or lies_in != self._wanted.pk):
            return False
        return self._sees_all or lies_in in self._folder_ids
