"""Create the tables of monitors in one step, as 4 migrations made them (ADR 0036)."""

import detectviz.crypto.fields
import detectviz.migrating
import detectviz.resources.models
import django.core.serializers.json
import django.core.validators
import django.db.models.deletion
import django.db.models.manager
from django.db import migrations, models


class Migration(migrations.Migration):

    replaces = [('monitors', '0001_initial'), ('monitors', '0002_scrape_status'), ('monitors', '0003_monitor_depends_on'), ('monitors', '0004_maintenance_windows')]

    initial = True

    dependencies = [
        ('orgs', '0003_org_theme'),
    ]

    operations = [
        detectviz.migrating.CreateModels(
            operations=[
                migrations.CreateModel(
                    name='Monitor',
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
                        ('type', models.CharField(max_length=63)),
                        ('description', models.TextField(blank=True, default='', max_length=2000)),
                        ('runbook_url', models.CharField(blank=True, default='', max_length=2000)),
                        ('notes', models.TextField(blank=True, default='', max_length=20000)),
                        ('location', models.CharField(default='default', max_length=63, validators=[django.core.validators.RegexValidator('^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$', 'Use lowercase letters, digits and dashes, at most 63, starting and ending with a letter or digit (DNS-1123).')])),
                        ('interval_s', models.FloatField(default=60.0)),
                        ('timeout_s', models.FloatField(default=10.0)),
                        ('retries', models.PositiveSmallIntegerField(default=0)),
                        ('retry_interval_s', models.FloatField(default=60.0)),
                        ('is_enabled', models.BooleanField(default=True)),
                        ('is_inverted', models.BooleanField(default=False)),
                        ('is_in_maintenance', models.BooleanField(default=False)),
                        ('degraded_above_s', models.FloatField(blank=True, null=True)),
                        ('down_above_s', models.FloatField(blank=True, null=True)),
                        ('config', models.JSONField(blank=True, default=dict)),
                        ('secrets', detectviz.crypto.fields.EncryptedJSONField(blank=True, default=dict, editable=False)),
                        ('config_version', models.PositiveBigIntegerField(default=1, editable=False)),
                        ('folder', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.RESTRICT, related_name='+', to='orgs.folder')),
                        ('org', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='orgs.org')),
                        ('depends_on', models.JSONField(blank=True, default=list)),
                    ],
                    options={
                        'ordering': ['name'],
                        'abstract': False,
                        'base_manager_name': 'all_orgs',
                        'default_manager_name': 'all_orgs',
                        'constraints': [models.UniqueConstraint(fields=('org', 'name'), name='monitors_monitor_name_unique_in_org'), models.CheckConstraint(condition=models.Q(('interval_s__gte', 1), ('interval_s__lte', 86400)), name='monitors_monitor_interval_in_bounds')],
                    },
                    managers=[
                        ('all_orgs', django.db.models.manager.Manager()),
                    ],
                ),
                migrations.CreateModel(
                    name='MonitorUptime',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('hour_ms', models.BigIntegerField()),
                        ('up_s', models.FloatField(default=0.0)),
                        ('degraded_s', models.FloatField(default=0.0)),
                        ('down_s', models.FloatField(default=0.0)),
                        ('unknown_s', models.FloatField(default=0.0)),
                        ('maintenance_s', models.FloatField(default=0.0)),
                        ('monitor', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='uptimes', to='monitors.monitor')),
                        ('org', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='orgs.org')),
                    ],
                    options={
                        'abstract': False,
                        'base_manager_name': 'all_orgs',
                        'default_manager_name': 'all_orgs',
                        'indexes': [models.Index(fields=['hour_ms'], name='monitors_uptime_age')],
                        'constraints': [models.UniqueConstraint(fields=('monitor', 'hour_ms'), name='monitors_uptime_one_row_per_hour')],
                    },
                    managers=[
                        ('all_orgs', django.db.models.manager.Manager()),
                    ],
                ),
                migrations.CreateModel(
                    name='StateChange',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('previous', models.CharField(choices=[('up', 'Up'), ('degraded', 'Degraded'), ('down', 'Down'), ('unknown', 'Unknown')], max_length=16)),
                        ('state', models.CharField(choices=[('up', 'Up'), ('degraded', 'Degraded'), ('down', 'Down'), ('unknown', 'Unknown')], max_length=16)),
                        ('at', models.DateTimeField()),
                        ('message', models.TextField(blank=True, default='')),
                        ('evidence', models.JSONField(blank=True, default=dict, encoder=django.core.serializers.json.DjangoJSONEncoder)),
                        ('is_in_maintenance', models.BooleanField(default=False)),
                        ('monitor', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='changes', to='monitors.monitor')),
                        ('org', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='orgs.org')),
                    ],
                    options={
                        'ordering': ['-at', '-id'],
                        'abstract': False,
                        'base_manager_name': 'all_orgs',
                        'default_manager_name': 'all_orgs',
                        'indexes': [models.Index(fields=['monitor', '-at'], name='monitors_change_of_monitor'), models.Index(fields=['org', '-at'], name='monitors_change_of_org'), models.Index(fields=['at'], name='monitors_change_age')],
                    },
                    managers=[
                        ('all_orgs', django.db.models.manager.Manager()),
                    ],
                ),
                migrations.CreateModel(
                    name='Heartbeat',
                    fields=[
                        ('monitor', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='heartbeat', serialize=False, to='monitors.monitor')),
                        ('uid', models.CharField(default=detectviz.resources.models.new_uid, editable=False, max_length=32, unique=True)),
                        ('token_hash', models.CharField(max_length=64, unique=True)),
                        ('token', detectviz.crypto.fields.EncryptedJSONField(blank=True, default=dict, editable=False)),
                        ('since', models.DateTimeField()),
                        ('last_success_at', models.DateTimeField(blank=True, null=True)),
                        ('last_start_at', models.DateTimeField(blank=True, null=True)),
                        ('last_fail_at', models.DateTimeField(blank=True, null=True)),
                        ('last_exit_code', models.IntegerField(blank=True, null=True)),
                        ('last_duration_s', models.FloatField(blank=True, null=True)),
                        ('last_message', models.TextField(blank=True, default='')),
                        ('runs', models.JSONField(blank=True, default=dict)),
                        ('pings', models.JSONField(blank=True, default=list)),
                        ('org', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='orgs.org')),
                    ],
                    options={
                        'abstract': False,
                        'base_manager_name': 'all_orgs',
                        'default_manager_name': 'all_orgs',
                    },
                    managers=[
                        ('all_orgs', django.db.models.manager.Manager()),
                    ],
                ),
                migrations.CreateModel(
                    name='MonitorSchedule',
                    fields=[
                        ('monitor', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='schedule', serialize=False, to='monitors.monitor')),
                        ('location', models.CharField(default='default', max_length=63)),
                        ('is_active', models.BooleanField(default=True)),
                        ('interval_ms', models.BigIntegerField()),
                        ('timeout_ms', models.BigIntegerField()),
                        ('phase_ms', models.BigIntegerField()),
                        ('next_due_ms', models.BigIntegerField()),
                        ('lease_owner', models.CharField(blank=True, default='', max_length=200)),
                        ('lease_until_ms', models.BigIntegerField(default=0)),
                        ('epoch', models.BigIntegerField(default=1)),
                        ('config_version', models.BigIntegerField(default=1)),
                        ('claimed_slot_ms', models.BigIntegerField(default=0)),
                        ('claimed_at_ms', models.BigIntegerField(default=0)),
                        ('done_slot_ms', models.BigIntegerField(default=0)),
                        ('slots_skipped', models.BigIntegerField(default=0)),
                        ('org', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='orgs.org')),
                    ],
                    options={
                        'abstract': False,
                        'base_manager_name': 'all_orgs',
                        'default_manager_name': 'all_orgs',
                        'indexes': [models.Index(condition=models.Q(('is_active', True)), fields=['location', 'next_due_ms'], name='monitors_schedule_due'), models.Index(condition=models.Q(('lease_owner', ''), _negated=True), fields=['lease_until_ms'], name='monitors_schedule_leased')],
                    },
                    managers=[
                        ('all_orgs', django.db.models.manager.Manager()),
                    ],
                ),
                migrations.CreateModel(
                    name='MonitorState',
                    fields=[
                        ('monitor', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='state', serialize=False, to='monitors.monitor')),
                        ('state', models.CharField(choices=[('up', 'Up'), ('degraded', 'Degraded'), ('down', 'Down'), ('unknown', 'Unknown')], default='unknown', max_length=16)),
                        ('since', models.DateTimeField()),
                        ('last_check_at', models.DateTimeField(blank=True, null=True)),
                        ('last_duration_s', models.FloatField(blank=True, null=True)),
                        ('message', models.TextField(blank=True, default='')),
                        ('consecutive_failures', models.IntegerField(default=0)),
                        ('is_retrying', models.BooleanField(default=False)),
                        ('certificate_expires_at', models.DateTimeField(blank=True, null=True)),
                        ('recent', models.BinaryField(default=bytes)),
                        ('hour_ms', models.BigIntegerField(default=0)),
                        ('up_s', models.FloatField(default=0.0)),
                        ('degraded_s', models.FloatField(default=0.0)),
                        ('down_s', models.FloatField(default=0.0)),
                        ('unknown_s', models.FloatField(default=0.0)),
                        ('maintenance_s', models.FloatField(default=0.0)),
                        ('org', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='orgs.org')),
                        ('counted_at', models.DateTimeField(blank=True, null=True)),
                    ],
                    options={
                        'abstract': False,
                        'base_manager_name': 'all_orgs',
                        'default_manager_name': 'all_orgs',
                        'indexes': [models.Index(fields=['org', 'state'], name='monitors_state_of_org')],
                    },
                    managers=[
                        ('all_orgs', django.db.models.manager.Manager()),
                    ],
                ),
                migrations.CreateModel(
                    name='ScrapeStatus',
                    fields=[
                        ('monitor', models.OneToOneField(db_constraint=False, on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='scrape', serialize=False, to='monitors.monitor')),
                        ('active', models.JSONField(blank=True, default=list)),
                        ('dropped', models.JSONField(blank=True, default=list)),
                        ('active_total', models.PositiveIntegerField(default=0)),
                        ('dropped_total', models.PositiveIntegerField(default=0)),
                        ('scraped_at', models.DateTimeField()),
                        ('org', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='orgs.org')),
                    ],
                    options={
                        'abstract': False,
                        'base_manager_name': 'all_orgs',
                        'default_manager_name': 'all_orgs',
                    },
                    managers=[
                        ('all_orgs', django.db.models.manager.Manager()),
                    ],
                ),
                migrations.CreateModel(
                    name='MaintenanceWindow',
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
                        ('strategy', models.CharField(choices=[('once', 'Once'), ('cron', 'By a cron expression'), ('weekly', 'On days of the week'), ('monthly', 'On days of the month')], max_length=10)),
                        ('starts_at', models.DateTimeField(blank=True, null=True)),
                        ('ends_at', models.DateTimeField(blank=True, null=True)),
                        ('cron', models.CharField(blank=True, default='', max_length=200)),
                        ('weekdays', models.JSONField(blank=True, default=list)),
                        ('days', models.JSONField(blank=True, default=list)),
                        ('nth_weekdays', models.JSONField(blank=True, default=list)),
                        ('start_time', models.CharField(blank=True, default='00:00', max_length=5)),
                        ('duration_ms', models.PositiveBigIntegerField(default=0)),
                        ('location', models.CharField(blank=True, default='UTC', max_length=63)),
                        ('covers_all', models.BooleanField(default=False)),
                        ('monitors', models.JSONField(blank=True, default=list)),
                        ('selector', models.CharField(blank=True, default='', max_length=1000)),
                        ('folders', models.JSONField(blank=True, default=list)),
                        ('matchers', models.JSONField(blank=True, default=list)),
                        ('is_collecting', models.BooleanField(default=True)),
                        ('is_enabled', models.BooleanField(default=True)),
                        ('note', models.TextField(blank=True, default='', max_length=2000)),
                        ('begun_at', models.DateTimeField(blank=True, null=True)),
                        ('ended_at', models.DateTimeField(blank=True, null=True)),
                        ('next_change_at', models.DateTimeField(blank=True, null=True)),
                        ('folder', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.RESTRICT, related_name='+', to='orgs.folder')),
                        ('org', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='orgs.org')),
                    ],
                    options={
                        'ordering': ['name'],
                        'abstract': False,
                        'base_manager_name': 'all_orgs',
                        'default_manager_name': 'all_orgs',
                        'indexes': [models.Index(fields=['next_change_at'], name='monitors_window_change')],
                        'constraints': [models.UniqueConstraint(fields=('org', 'name'), name='monitors_maintenancewindow_name_unique_in_org')],
                    },
                    managers=[
                        ('all_orgs', django.db.models.manager.Manager()),
                    ],
                ),
                migrations.CreateModel(
                    name='MonitorMaintenance',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('since', models.DateTimeField()),
                        ('until', models.DateTimeField()),
                        ('is_collecting', models.BooleanField()),
                        ('monitor', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='maintenances', to='monitors.monitor')),
                        ('org', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='orgs.org')),
                        ('window', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='members', to='monitors.maintenancewindow')),
                    ],
                    options={
                        'abstract': False,
                        'base_manager_name': 'all_orgs',
                        'default_manager_name': 'all_orgs',
                        'indexes': [models.Index(fields=['org'], name='monitors_maintenance_of_org')],
                        'constraints': [models.UniqueConstraint(fields=('monitor', 'window'), name='monitors_maintenance_unique')],
                    },
                    managers=[
                        ('all_orgs', django.db.models.manager.Manager()),
                    ],
                ),
            ],
        ),
    ]
