"""Rules may ask datasources: queries and a condition in place of an expression."""

from typing import ClassVar

from django.db import migrations, models
from django.db.migrations.operations.base import Operation


class Migration(migrations.Migration):
    dependencies: ClassVar[list[tuple[str, str]]] = [("alerting", "0003_rulegroup_evaluation")]
    operations: ClassVar[list[Operation]] = [
        migrations.AddField(
            model_name="rulegroup",
            name="asks_datasources",
            field=models.BooleanField(default=False),
        ),
        migrations.AlterField(
            model_name="rule",
            name="expr",
            field=models.TextField(blank=True),
        ),
        migrations.AddField(
            model_name="rule",
            name="queries",
            field=models.JSONField(blank=True, default=list),
        ),
        migrations.AddField(
            model_name="rule",
            name="condition",
            field=models.CharField(blank=True, default="", max_length=64),
        ),
        migrations.AddField(
            model_name="alert",
            name="source",
            field=models.JSONField(blank=True, default=dict),
        ),
    ]
