"""Create the tables of datasources in one step, as 2 migrations made them (ADR 0036)."""

import detectviz.crypto.fields
import detectviz.migrating
import detectviz.resources.models
import django.core.validators
import django.db.models.deletion
import django.db.models.manager
from django.db import migrations, models


class Migration(migrations.Migration):

    replaces = [('datasources', '0001_initial'), ('datasources', '0002_prunable')]

    initial = True

    dependencies = [
        ('orgs', '0002_quota'),
    ]

    operations = [
        detectviz.migrating.CreateModels(
            operations=[
                migrations.CreateModel(
                    name='Datasource',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('name', models.CharField(max_length=63, validators=[django.core.validators.RegexValidator('^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$', 'Use lowercase letters, digits and dashes, at most 63, starting and ending with a letter or digit (DNS-1123).')])),
                        ('title', models.CharField(blank=True, default='', max_length=200)),
                        ('labels', models.JSONField(blank=True, default=dict)),
                        ('resource_version', models.PositiveBigIntegerField(default=1, editable=False)),
                        ('generation', models.PositiveBigIntegerField(default=1, editable=False)),
                        ('created_at', models.DateTimeField(auto_now_add=True)),
                        ('updated_at', models.DateTimeField(auto_now=True)),
                        ('uid', models.CharField(default=detectviz.resources.models.new_uid, editable=False, max_length=40)),
                        ('type', models.CharField(max_length=63)),
                        ('access', models.CharField(choices=[('proxy', 'Proxy'), ('direct', 'Direct')], default='proxy', max_length=6)),
                        ('url', models.CharField(blank=True, default='', max_length=2048)),
                        ('user', models.CharField(blank=True, default='', max_length=255)),
                        ('database', models.CharField(blank=True, default='', max_length=255)),
                        ('basic_auth', models.BooleanField(default=False)),
                        ('basic_auth_user', models.CharField(blank=True, default='', max_length=255)),
                        ('is_default', models.BooleanField(default=False)),
                        ('read_only', models.BooleanField(default=False)),
                        ('provisioned_from', models.CharField(blank=True, default='', max_length=255)),
                        ('json_data', models.JSONField(default=dict)),
                        ('secure_json_data', detectviz.crypto.fields.EncryptedJSONField(blank=True, default=dict, editable=False)),
                        ('health_status', models.CharField(blank=True, default='', max_length=10)),
                        ('health_message', models.CharField(blank=True, default='', max_length=1000)),
                        ('health_checked_at', models.DateTimeField(blank=True, null=True)),
                        ('folder', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.RESTRICT, related_name='+', to='orgs.folder')),
                        ('org', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='orgs.org')),
                        ('is_prunable', models.BooleanField(default=False)),
                    ],
                    options={
                        'ordering': ['name'],
                        'abstract': False,
                        'base_manager_name': 'all_orgs',
                        'default_manager_name': 'all_orgs',
                        'indexes': [models.Index(fields=['org', 'type'], name='datasources_by_type')],
                        'constraints': [models.UniqueConstraint(fields=('org', 'name'), name='datasources_datasource_name_unique_in_org'), models.UniqueConstraint(fields=('org', 'uid'), name='datasources_uid_unique_in_org'), models.UniqueConstraint(condition=models.Q(('is_default', True)), fields=('org',), name='datasources_one_default_in_org')],
                    },
                    managers=[
                        ('all_orgs', django.db.models.manager.Manager()),
                    ],
                ),
            ],
        ),
    ]
