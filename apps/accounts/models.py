"""People and programs."""

from django.contrib.auth.models import AbstractUser
from django.db import models

from detectviz.resources.models import new_uid


class User(AbstractUser):
    """A person, or the identity behind a service account."""

    uid = models.CharField(max_length=32, unique=True, default=new_uid, editable=False)
