"""The theme a person chose."""

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    """One column, empty at first."""

    dependencies: ClassVar = [("accounts", "0001_initial")]
    operations: ClassVar = [
        migrations.AddField(
            model_name="user",
            name="theme",
            field=models.CharField(
                blank=True,
                default="",
                editable=False,
                help_text="A theme plugin; empty follows the organisation, - is the plain look.",
                max_length=63,
            ),
        ),
    ]
