"""Closed sets of words."""

from django.db import models


class UserKind(models.TextChoices):
    """What stands behind an identity."""

    PERSON = "person", "Person"
    SERVICE = "service", "Service account"
