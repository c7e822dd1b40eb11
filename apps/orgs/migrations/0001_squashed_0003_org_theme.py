"""Create the tables of orgs in one step, as 3 migrations made them (ADR 0036)."""

import detectviz.migrating
import detectviz.resources.models
import django.core.validators
import django.db.models.deletion
import django.db.models.manager
from django.db import migrations, models


class Migration(migrations.Migration):

    replaces = [('orgs', '0001_initial'), ('orgs', '0002_quota'), ('orgs', '0003_org_theme')]

    initial = True

    dependencies = [
    ]

    operations = [
        detectviz.migrating.CreateModels(
            operations=[
                migrations.CreateModel(
                    name='Org',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('uid', models.CharField(default=detectviz.resources.models.new_uid, editable=False, max_length=32, unique=True)),
                        ('name', models.CharField(max_length=63, unique=True, validators=[django.core.validators.RegexValidator('^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$', 'Use lowercase letters, digits and dashes, at most 63, starting and ending with a letter or digit (DNS-1123).')])),
                        ('title', models.CharField(blank=True, default='', max_length=200)),
                        ('is_active', models.BooleanField(default=True)),
                        ('resource_version', models.PositiveBigIntegerField(default=1, editable=False)),
                        ('generation', models.PositiveBigIntegerField(default=1, editable=False)),
                        ('created_at', models.DateTimeField(auto_now_add=True)),
                        ('updated_at', models.DateTimeField(auto_now=True)),
                        ('theme', models.CharField(blank=True, default='', editable=False, max_length=63)),
                    ],
                    options={
                        'ordering': ['name'],
                    },
                ),
                migrations.CreateModel(
                    name='Folder',
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
                        ('org', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='orgs.org')),
                    ],
                    options={
                        'ordering': ['name'],
                        'abstract': False,
                        'base_manager_name': 'all_orgs',
                        'default_manager_name': 'all_orgs',
                        'constraints': [models.UniqueConstraint(fields=('org', 'name'), name='orgs_folder_name_unique_in_org')],
                    },
                    managers=[
                        ('all_orgs', django.db.models.manager.Manager()),
                    ],
                ),
                migrations.CreateModel(
                    name='Quota',
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
                        ('max_series', models.PositiveBigIntegerField(blank=True, null=True)),
                        ('samples_per_s', models.PositiveBigIntegerField(blank=True, null=True)),
                        ('max_labels', models.PositiveSmallIntegerField(blank=True, null=True)),
                        ('max_label_name_bytes', models.PositiveSmallIntegerField(blank=True, null=True)),
                        ('max_label_value_bytes', models.PositiveSmallIntegerField(blank=True, null=True)),
                        ('out_of_order_s', models.PositiveBigIntegerField(blank=True, null=True)),
                        ('retention_s', models.PositiveBigIntegerField(blank=True, null=True)),
                        ('rollup_5m_retention_s', models.PositiveBigIntegerField(blank=True, null=True)),
                        ('rollup_1h_retention_s', models.PositiveBigIntegerField(blank=True, null=True)),
                        ('org', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='orgs.org')),
                    ],
                    options={
                        'ordering': ['name'],
                        'abstract': False,
                        'base_manager_name': 'all_orgs',
                        'default_manager_name': 'all_orgs',
                        'constraints': [models.UniqueConstraint(fields=('org', 'name'), name='orgs_quota_name_unique_in_org')],
                    },
                    managers=[
                        ('all_orgs', django.db.models.manager.Manager()),
                    ],
                ),
            ],
        ),
    ]
