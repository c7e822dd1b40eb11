"""Alerts that other programs sent: where from, until when, and whether the end is our own."""

from typing import ClassVar

from django.db import migrations, models
from django.db.migrations.operations.base import Operation


class Migration(migrations.Migration):
    dependencies: ClassVar[list[tuple[str, str]]] = [("notifications", "0001_initial")]
    operations: ClassVar[list[Operation]] = [
        migrations.AddField(
            model_name="routedalert",
            name="generator_url",
            field=models.TextField(blank=True, default=""),
        ),
        migrations.AddField(
            model_name="routedalert",
            name="is_external",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="routedalert",
            name="is_timeout",
            field=models.BooleanField(default=False),
        ),
        migrations.AddIndex(
            model_name="routedalert",
            index=models.Index(
                condition=models.Q(("is_external", True), ("is_resolved", False)),
                fields=["ends_at"],
                name="notifications_alert_ends",
            ),
        ),
    ]
