"""Create the tables of runtime in one step, as 2 migrations made them (ADR 0036)."""

import detectviz.migrating
from django.db import migrations, models


class Migration(migrations.Migration):

    replaces = [('runtime', '0001_initial'), ('runtime', '0002_processheartbeat_modules')]

    initial = True

    dependencies = [
    ]

    operations = [
        detectviz.migrating.CreateModels(
            operations=[
                migrations.CreateModel(
                    name='Lease',
                    fields=[
                        ('name', models.CharField(max_length=100, primary_key=True, serialize=False)),
                        ('owner', models.CharField(max_length=200)),
                        ('epoch', models.PositiveBigIntegerField(default=1)),
                        ('expires_at', models.DateTimeField()),
                    ],
                ),
                migrations.CreateModel(
                    name='ProcessHeartbeat',
                    fields=[
                        ('owner', models.CharField(max_length=200, primary_key=True, serialize=False)),
                        ('role', models.CharField(max_length=50)),
                        ('started_at', models.DateTimeField()),
                        ('seen_at', models.DateTimeField()),
                        ('modules', models.JSONField(default=list, null=True)),
                    ],
                ),
            ],
        ),
    ]
