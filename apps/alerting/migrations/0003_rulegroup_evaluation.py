"""A group may let the series backend's own engine evaluate its expressions."""

from typing import ClassVar

from django.db import migrations, models
from django.db.migrations.operations.base import Operation


class Migration(migrations.Migration):
    dependencies: ClassVar[list[tuple[str, str]]] = [("alerting", "0002_rule_first_eval_at")]
    operations: ClassVar[list[Operation]] = [
        migrations.AddField(
            model_name="rulegroup",
            name="evaluation",
            field=models.CharField(
                choices=[("engine", "Engine"), ("backend", "Backend")],
                default="engine",
                max_length=10,
            ),
        ),
    ]
