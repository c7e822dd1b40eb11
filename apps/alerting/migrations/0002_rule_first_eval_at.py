"""A rule is evaluated with its group: only the first time is its own to keep."""

from typing import ClassVar

from django.db import migrations
from django.db.migrations.operations.base import Operation


class Migration(migrations.Migration):
    dependencies: ClassVar[list[tuple[str, str]]] = [("alerting", "0001_initial")]
    operations: ClassVar[list[Operation]] = [
        migrations.RenameField(
            model_name="rule", old_name="last_eval_at", new_name="first_eval_at"
        ),
    ]
