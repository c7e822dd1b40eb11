"""Create the tables of operations in one step, as 1 migration made them (ADR 0036)."""

import detectviz.crypto.fields
import detectviz.migrating
import detectviz.resources.models
import django.core.validators
import django.db.models.deletion
import django.db.models.manager
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    replaces = [('operations', '0001_pipelines')]

    initial = True

    dependencies = [
        ('orgs', '0002_quota'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        detectviz.migrating.CreateModels(
            operations=[
                migrations.CreateModel(
                    name='Pipeline',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('uid', models.CharField(default=detectviz.resources.models.new_uid, editable=False, max_length=32, unique=True)),
                        ('name', models.CharField(max_length=63, validators=[django.core.validators.RegexValidator('^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$', 'Use lowercase letters, digits and dashes, at most 63, starting and ending with a letter or digit (DNS-1123).')])),
                        ('title', models.CharField(blank=True, default='', max_length=200)),
                        ('labels', models.JSONField(blank=True, default=dict)),
                        ('resource_version', models.PositiveBigIntegerField(default=1, editable=False)),
                        ('generation', models.PositiveBigIntegerField(default=1, editable=False)),
                        ('created_at', models.DateTimeField(auto_now_add=True)),
                        ('updated_at', models.DateTimeField(auto_now=True)),
                        ('source', models.JSONField(default=dict)),
                        ('steps', models.JSONField(default=list)),
                        ('destinations', models.JSONField(default=list)),
                        ('secrets', detectviz.crypto.fields.EncryptedJSONField(blank=True, default=dict, editable=False)),
                        ('schedule', models.CharField(blank=True, default='', max_length=200)),
                        ('options', models.JSONField(default=dict)),
                        ('enabled', models.BooleanField(default=True)),
                        ('next_run_at', models.DateTimeField(blank=True, null=True)),
                        ('owner_scopes', models.JSONField(blank=True, null=True)),
                        ('is_operators', models.BooleanField(default=False)),
                        ('folder', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.RESTRICT, related_name='+', to='orgs.folder')),
                        ('org', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='orgs.org')),
                        ('owner', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                    ],
                    options={
                        'ordering': ['name'],
                        'abstract': False,
                        'base_manager_name': 'all_orgs',
                        'default_manager_name': 'all_orgs',
                        'indexes': [models.Index(fields=['next_run_at'], name='operations_pipeline_due')],
                        'constraints': [models.UniqueConstraint(fields=('org', 'name'), name='operations_pipeline_name_unique_in_org')],
                    },
                    managers=[
                        ('all_orgs', django.db.models.manager.Manager()),
                    ],
                ),
                migrations.CreateModel(
                    name='PipelineRun',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('uid', models.CharField(default=detectviz.resources.models.new_uid, editable=False, max_length=32, unique=True)),
                        ('state', models.CharField(choices=[('queued', 'Queued'), ('running', 'Running'), ('done', 'Done'), ('failed', 'Failed'), ('cancelled', 'Cancelled')], default='queued', max_length=10)),
                        ('trigger', models.CharField(choices=[('manual', 'By hand'), ('schedule', 'By schedule')], max_length=10)),
                        ('started_by', models.CharField(blank=True, default='', max_length=150)),
                        ('read', models.PositiveBigIntegerField(default=0)),
                        ('written', models.PositiveBigIntegerField(default=0)),
                        ('failed', models.PositiveBigIntegerField(default=0)),
                        ('total', models.PositiveBigIntegerField(blank=True, null=True)),
                        ('settled', models.JSONField(default=dict)),
                        ('stages', models.JSONField(default=list)),
                        ('errors', models.JSONField(default=list)),
                        ('cursor', models.JSONField(default=dict)),
                        ('reason', models.CharField(blank=True, default='', max_length=2000)),
                        ('source_digest', models.CharField(max_length=64)),
                        ('is_cancel_wanted', models.BooleanField(default=False)),
                        ('epoch', models.PositiveIntegerField(default=0)),
                        ('lease_until', models.DateTimeField(blank=True, null=True)),
                        ('sent_at', models.DateTimeField(blank=True, null=True)),
                        ('created_at', models.DateTimeField()),
                        ('started_at', models.DateTimeField(blank=True, null=True)),
                        ('finished_at', models.DateTimeField(blank=True, null=True)),
                        ('org', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='orgs.org')),
                        ('pipeline', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='runs', to='operations.pipeline')),
                    ],
                    options={
                        'ordering': ['-created_at', '-id'],
                        'abstract': False,
                        'base_manager_name': 'all_orgs',
                        'default_manager_name': 'all_orgs',
                        'indexes': [models.Index(fields=['org', 'pipeline', '-created_at'], name='operations_run_recent'), models.Index(fields=['state', 'lease_until'], name='operations_run_due')],
                        'constraints': [models.UniqueConstraint(condition=models.Q(('state__in', ('queued', 'running'))), fields=('pipeline',), name='operations_one_active_run')],
                    },
                    managers=[
                        ('all_orgs', django.db.models.manager.Manager()),
                    ],
                ),
            ],
        ),
    ]
