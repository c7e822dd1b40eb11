"""Flapping alerts are few, and looked for at every flush."""

from typing import ClassVar

from django.db import migrations, models
from django.db.migrations.operations.base import Operation


class Migration(migrations.Migration):
    dependencies: ClassVar[list[tuple[str, str]]] = [("alerting", "0007_rule_policies")]
    operations: ClassVar[list[Operation]] = [
        migrations.AddIndex(
            model_name="alert",
            index=models.Index(
                fields=["org"],
                condition=models.Q(is_flapping=True),
                name="alerting_alert_flapping",
            ),
        ),
    ]
