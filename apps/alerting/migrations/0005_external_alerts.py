"""Alerts that other programs sent have no rule, but a sender and a source."""

from typing import ClassVar

import django.db.models.deletion
from django.db import migrations, models
from django.db.migrations.operations.base import Operation


class Migration(migrations.Migration):
    dependencies: ClassVar[list[tuple[str, str]]] = [("alerting", "0004_rule_queries")]
    operations: ClassVar[list[Operation]] = [
        migrations.AlterField(
            model_name="alert",
            name="rule",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="alerts",
                to="alerting.rule",
            ),
        ),
        migrations.AddField(
            model_name="alert",
            name="sender",
            field=models.CharField(blank=True, default="", max_length=200),
        ),
        migrations.AddField(
            model_name="alert",
            name="generator_url",
            field=models.TextField(blank=True, default=""),
        ),
    ]
