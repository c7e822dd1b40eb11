"""Monitors may depend on others."""

from typing import ClassVar

from django.db import migrations, models
from django.db.migrations.operations.base import Operation


class Migration(migrations.Migration):
    dependencies: ClassVar[list[tuple[str, str]]] = [("monitors", "0002_scrape_status")]
    operations: ClassVar[list[Operation]] = [
        migrations.AddField(
            model_name="monitor",
            name="depends_on",
            field=models.JSONField(blank=True, default=list),
        ),
    ]
