"""Create the tables of series in one step, as 2 migrations made them (ADR 0036)."""

import detectviz.migrating
import django.db.models.deletion
import django.db.models.manager
from django.db import migrations, models


class Migration(migrations.Migration):

    replaces = [('series', '0001_initial'), ('series', '0002_refusal')]

    initial = True

    dependencies = [
        ('orgs', '0002_quota'),
    ]

    operations = [
        detectviz.migrating.CreateModels(
            operations=[
                migrations.CreateModel(
                    name='Exemplar',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('metric', models.CharField(max_length=128)),
                        ('key_digest', models.CharField(max_length=32)),
                        ('labels', models.JSONField()),
                        ('exemplar_labels', models.JSONField()),
                        ('value', models.CharField(max_length=32)),
                        ('timestamp_ms', models.BigIntegerField()),
                        ('org', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='orgs.org')),
                    ],
                    options={
                        'indexes': [models.Index(fields=['org', 'metric', 'timestamp_ms'], name='series_exemplar_metric'), models.Index(fields=['org', 'timestamp_ms'], name='series_exemplar_time')],
                        'constraints': [models.UniqueConstraint(fields=('org', 'key_digest', 'timestamp_ms'), name='series_exemplar_moment')],
                    },
                    managers=[
                        ('all_orgs', django.db.models.manager.Manager()),
                    ],
                ),
                migrations.CreateModel(
                    name='MetricMetadata',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('metric', models.CharField(max_length=128)),
                        ('type', models.CharField(max_length=16)),
                        ('help', models.CharField(blank=True, max_length=1024)),
                        ('unit', models.CharField(blank=True, max_length=64)),
                        ('updated_at', models.DateTimeField()),
                        ('org', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='orgs.org')),
                    ],
                    options={
                        'constraints': [models.UniqueConstraint(fields=('org', 'metric'), name='series_metadata_metric')],
                    },
                    managers=[
                        ('all_orgs', django.db.models.manager.Manager()),
                    ],
                ),
                migrations.CreateModel(
                    name='Refusal',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('door', models.CharField(max_length=32)),
                        ('reason', models.CharField(max_length=32)),
                        ('hour_at', models.DateTimeField()),
                        ('count', models.BigIntegerField(default=0)),
                        ('example', models.CharField(blank=True, max_length=400)),
                        ('last_at', models.DateTimeField()),
                        ('org', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='orgs.org')),
                    ],
                    options={
                        'constraints': [models.UniqueConstraint(fields=('org', 'door', 'reason', 'hour_at'), name='series_refusal_hour')],
                    },
                    managers=[
                        ('all_orgs', django.db.models.manager.Manager()),
                    ],
                ),
            ],
        ),
    ]
