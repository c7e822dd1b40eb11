"""The theme an org's pages show to people who chose none."""

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    """One column, empty at first."""

    dependencies: ClassVar = [("orgs", "0002_quota")]
    operations: ClassVar = [
        migrations.AddField(
            model_name="org",
            name="theme",
            field=models.CharField(blank=True, default="", editable=False, max_length=63),
        ),
    ]
