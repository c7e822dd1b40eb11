"""Configured datasources."""

from typing import ClassVar

from django.db import models

from apps.datasources.enums import DatasourceAccess
from detectviz.crypto.fields import EncryptedJSONField
from detectviz.json_field import JSONField
from detectviz.resources.models import ResourceModel, new_uid


class Datasource(ResourceModel):
    """One connection to an outside system, through the datasource plugin ``type``.

    ``uid`` is unique in the org and may be given, so that what refers to it survives a move.
    ``provisioned_from`` names the file it came from; ``is_prunable`` has it go when no file names
    it any more.
    """

    uid = models.CharField(max_length=40, default=new_uid, editable=False)
    type = models.CharField(max_length=63)
    access = models.CharField(
        max_length=6, choices=DatasourceAccess.choices, default=DatasourceAccess.PROXY
    )
    url = models.CharField(max_length=2048, blank=True, default="")
    user = models.CharField(max_length=255, blank=True, default="")
    database = models.CharField(max_length=255, blank=True, default="")
    basic_auth = models.BooleanField(default=False)
    basic_auth_user = models.CharField(max_length=255, blank=True, default="")
    is_default = models.BooleanField(default=False)
    read_only = models.BooleanField(default=False)
    provisioned_from = models.CharField(max_length=255, blank=True, default="")
    is_prunable = models.BooleanField(default=False)
    json_data = JSONField(default=dict)
    secure_json_data = EncryptedJSONField(default=dict)
    health_status = models.CharField(max_length=10, blank=True, default="")
    health_message = models.CharField(max_length=1000, blank=True, default="")
    health_checked_at = models.DateTimeField(null=True, blank=True)

    class Meta(ResourceModel.Meta):
        constraints: ClassVar[list[models.BaseConstraint]] = [
            *ResourceModel.Meta.constraints,
            models.UniqueConstraint(fields=["org", "uid"], name="datasources_uid_unique_in_org"),
            models.UniqueConstraint(
                fields=["org"],
                condition=models.Q(is_default=True),
                name="datasources_one_default_in_org",
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["org", "type"], name="datasources_by_type")
        ]
