"""Words of this app."""

from django.db import models


class DatasourceAccess(models.TextChoices):
    """How Grafana names the way to a datasource.

    Every query is made by the server; ``direct`` is taken from Grafana's files and means the same.
    """

    PROXY = "proxy"
    DIRECT = "direct"
