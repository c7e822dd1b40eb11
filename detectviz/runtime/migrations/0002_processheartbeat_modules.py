"""What modules a process runs, for who looks at it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Add the column; rows of processes of the version before have none."""

    dependencies = [("runtime", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="processheartbeat",
            name="modules",
            field=models.JSONField(default=list, null=True),
        ),
    ]
