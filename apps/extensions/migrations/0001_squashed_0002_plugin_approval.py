"""Create the tables of extensions in one step, as 2 migrations made them (ADR 0036)."""

import detectviz.crypto.fields
import detectviz.migrating
import detectviz.resources.models
import django.db.models.deletion
import django.db.models.manager
from django.db import migrations, models


class Migration(migrations.Migration):

    replaces = [('extensions', '0001_initial'), ('extensions', '0002_plugin_approval')]

    initial = True

    dependencies = [
        ('orgs', '0002_quota'),
    ]

    operations = [
        detectviz.migrating.CreateModels(
            operations=[
                migrations.CreateModel(
                    name='PluginStamp',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('policy', models.PositiveBigIntegerField(default=0)),
                        ('folders', models.PositiveBigIntegerField(default=0)),
                    ],
                ),
                migrations.CreateModel(
                    name='PluginSwitch',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('uid', models.CharField(default=detectviz.resources.models.new_uid, editable=False, max_length=32, unique=True)),
                        ('kind', models.CharField(max_length=32)),
                        ('name', models.CharField(max_length=63)),
                        ('is_enabled', models.BooleanField(default=True)),
                        ('settings', models.JSONField(blank=True, default=dict)),
                        ('updated_at', models.DateTimeField(auto_now=True)),
                    ],
                    options={
                        'ordering': ['kind', 'name'],
                        'constraints': [models.UniqueConstraint(fields=('kind', 'name'), name='extensions_switch_unique')],
                    },
                ),
                migrations.CreateModel(
                    name='PluginUse',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('kind', models.CharField(max_length=32)),
                        ('name', models.CharField(max_length=63)),
                        ('day', models.DateField()),
                        ('executions', models.PositiveBigIntegerField(default=0)),
                        ('failed', models.PositiveBigIntegerField(default=0)),
                        ('errors', models.PositiveBigIntegerField(default=0)),
                        ('seconds', models.FloatField(default=0.0)),
                    ],
                    options={
                        'ordering': ['-day', 'kind', 'name'],
                        'constraints': [models.UniqueConstraint(fields=('kind', 'name', 'day'), name='extensions_use_unique')],
                    },
                ),
                migrations.CreateModel(
                    name='OrgPlugin',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('uid', models.CharField(default=detectviz.resources.models.new_uid, editable=False, max_length=32, unique=True)),
                        ('kind', models.CharField(max_length=32)),
                        ('name', models.CharField(max_length=63)),
                        ('is_enabled', models.BooleanField(default=True)),
                        ('config', models.JSONField(blank=True, default=dict)),
                        ('secrets', detectviz.crypto.fields.EncryptedJSONField(blank=True, default=dict, editable=False)),
                        ('resource_version', models.PositiveBigIntegerField(default=1, editable=False)),
                        ('updated_at', models.DateTimeField(auto_now=True)),
                        ('org', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='orgs.org')),
                    ],
                    options={
                        'ordering': ['kind', 'name'],
                        'abstract': False,
                        'base_manager_name': 'all_orgs',
                        'default_manager_name': 'all_orgs',
                        'constraints': [models.UniqueConstraint(fields=('org', 'kind', 'name'), name='extensions_orgplugin_unique')],
                    },
                    managers=[
                        ('all_orgs', django.db.models.manager.Manager()),
                    ],
                ),
                migrations.CreateModel(
                    name='PluginApproval',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('uid', models.CharField(default=detectviz.resources.models.new_uid, editable=False, max_length=32, unique=True)),
                        ('kind', models.CharField(max_length=32)),
                        ('name', models.CharField(max_length=63)),
                        ('permissions', models.JSONField(blank=True, default=list)),
                        ('version', models.CharField(blank=True, max_length=64)),
                        ('approved_by', models.CharField(blank=True, max_length=150)),
                        ('approved_at', models.DateTimeField(null=True)),
                    ],
                    options={
                        'ordering': ['kind', 'name'],
                        'constraints': [models.UniqueConstraint(fields=('kind', 'name'), name='extensions_approval_unique')],
                    },
                ),
            ],
        ),
    ]
