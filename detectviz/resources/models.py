"""The row behind a resource's envelope."""

import re
import secrets
from typing import ClassVar

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models

from detectviz.json_field import JSONField
from detectviz.tenancy.models import OrgOwned

NAME_PATTERN = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
NAME_MESSAGE = (
    "Use lowercase letters, digits and dashes, at most 63, starting and ending with a letter or "
    "digit (DNS-1123)."
)
name_validator = RegexValidator(NAME_PATTERN, NAME_MESSAGE)


def is_name(text: object) -> bool:
    """Say whether ``text`` may name a resource."""
    return isinstance(text, str) and re.fullmatch(NAME_PATTERN, text) is not None


def new_uid() -> str:
    """Return a public identifier: 20 random characters, never reused."""
    return secrets.token_hex(10)


class ResourceModel(OrgOwned):
    """Envelope metadata shared by every org-owned resource kind.

    ``resource_version`` grows with every write, ``generation`` only when the spec changes.
    """

    uid = models.CharField(max_length=32, unique=True, default=new_uid, editable=False)
    name = models.CharField(max_length=63, validators=[name_validator])
    title = models.CharField(max_length=200, blank=True, default="")
    labels = JSONField(default=dict, blank=True)
    folder = models.ForeignKey(
        settings.DETECTVIZ_FOLDER_MODEL,
        on_delete=models.RESTRICT,  # in use means no deletion, except together with the org
        related_name="+",
        null=True,
        blank=True,
    )
    resource_version = models.PositiveBigIntegerField(default=1, editable=False)
    generation = models.PositiveBigIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta(OrgOwned.Meta):
        abstract = True
        ordering: ClassVar[list[str]] = ["name"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["org", "name"], name="%(app_label)s_%(class)s_name_unique_in_org"
            )
        ]

    def __str__(self) -> str:
        """Return the name."""
        return self.name
