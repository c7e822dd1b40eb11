"""Words of on-call duty."""

from django.db import models


class RunState(models.TextChoices):
    """Where an escalation is in its life."""

    RUNNING = "running", "Running"
    PAUSED = "paused", "Held back"
    ACKNOWLEDGED = "acknowledged", "Acknowledged"
    EXHAUSTED = "exhausted", "Nobody answered"
    RESOLVED = "resolved", "Resolved"
    REPLACED = "replaced", "Begun anew"


class NoticeState(models.TextChoices):
    """What became of telling one receiver of a step."""

    PLANNED = "planned", "Planned"
    SENT = "sent", "Sent"
    CANCELLED = "cancelled", "Not needed any more"
    UNREACHABLE = "unreachable", "Cannot be reached"


class IncidentStatus(models.TextChoices):
    """Where an incident is in its life."""

    INVESTIGATING = "investigating", "Investigating"
    IDENTIFIED = "identified", "Identified"
    MONITORING = "monitoring", "Monitoring"
    RESOLVED = "resolved", "Resolved"


class IncidentSeverity(models.TextChoices):
    """How bad an incident is."""

    CRITICAL = "critical", "Critical"
    MAJOR = "major", "Major"
    MINOR = "minor", "Minor"


class EntryKind(models.TextChoices):
    """What a line of an incident's own story tells."""

    OPENED = "opened", "Opened"
    NOTE = "note", "Note"
    STATUS = "status", "Status"
    SEVERITY = "severity", "Severity"
    ROLE = "role", "Role"
    ALERT = "alert", "Alert"
