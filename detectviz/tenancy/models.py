"""The base of every org-owned row."""

from typing import Any, ClassVar

from django.conf import settings
from django.db import models

from detectviz.tenancy.managers import OrgManager


class OrgOwned(models.Model):
    """A row that belongs to exactly one org.

    ``objects`` refuses unscoped queries; ``all_orgs`` is what Django's own machinery (admin,
    validation, deletion) uses and is not for application code (an architecture test looks).
    """

    org = models.ForeignKey(
        settings.DETECTVIZ_ORG_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False
    )

    all_orgs: ClassVar[models.Manager[Any]] = models.Manager()
    objects: ClassVar[OrgManager[Any]] = OrgManager()

    class Meta:
        abstract = True
        default_manager_name = "all_orgs"
        base_manager_name = "all_orgs"
