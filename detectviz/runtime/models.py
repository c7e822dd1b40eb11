"""Who holds what, and which processes are alive."""

from django.db import models

from detectviz.json_field import JSONField


class Lease(models.Model):
    """One named right with one holder at a time. ``epoch`` grows with every change of holder."""

    name = models.CharField(max_length=100, primary_key=True)
    owner = models.CharField(max_length=200)
    epoch = models.PositiveBigIntegerField(default=1)
    expires_at = models.DateTimeField()

    def __str__(self) -> str:
        """Return name and holder."""
        return f"{self.name} held by {self.owner}"


class ProcessHeartbeat(models.Model):
    """A process that said it is alive; readiness asks these rows."""

    owner = models.CharField(max_length=200, primary_key=True)
    role = models.CharField(max_length=50)
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    modules = JSONField(default=list, null=True)  # processes of an older version say nothing

    def __str__(self) -> str:
        """Return the owner."""
        return self.owner
