"""Create the tables of oncall in one step, as 4 migrations made them (ADR 0036)."""

import detectviz.crypto.fields
import detectviz.migrating
import detectviz.resources.models
import django.core.validators
import django.db.models.deletion
import django.db.models.manager
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    replaces = [('oncall', '0001_initial'), ('oncall', '0002_escalations'), ('oncall', '0003_chat_callbacks'), ('oncall', '0004_incidents')]

    initial = True

    dependencies = [
        ('orgs', '0003_org_theme'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        detectviz.migrating.CreateModels(
            operations=[
                migrations.CreateModel(
                    name='OnCallSchedule',
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
                        ('description', models.CharField(blank=True, default='', max_length=1000)),
                        ('time_zone', models.CharField(default='UTC', max_length=64)),
                        ('layers', models.JSONField(default=list)),
                        ('calendar', detectviz.crypto.fields.EncryptedJSONField(blank=True, default=dict, editable=False)),
                        ('calendar_digest', models.CharField(editable=False, max_length=64, unique=True)),
                        ('folder', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.RESTRICT, related_name='+', to='orgs.folder')),
                        ('org', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='orgs.org')),
                    ],
                    options={
                        'ordering': ['name'],
                        'abstract': False,
                        'base_manager_name': 'all_orgs',
                        'default_manager_name': 'all_orgs',
                        'constraints': [models.UniqueConstraint(fields=('org', 'name'), name='oncall_oncallschedule_name_unique_in_org')],
                    },
                    managers=[
                        ('all_orgs', django.db.models.manager.Manager()),
                    ],
                ),
                migrations.CreateModel(
                    name='OnCallOverride',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('uid', models.CharField(default=detectviz.resources.models.new_uid, editable=False, max_length=32, unique=True)),
                        ('participant', models.CharField(max_length=80)),
                        ('starts_at', models.DateTimeField()),
                        ('ends_at', models.DateTimeField()),
                        ('created_by', models.CharField(max_length=150)),
                        ('created_at', models.DateTimeField()),
                        ('org', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='orgs.org')),
                        ('schedule', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='overrides', to='oncall.oncallschedule')),
                    ],
                    options={
                        'ordering': ['starts_at', 'id'],
                        'abstract': False,
                        'base_manager_name': 'all_orgs',
                        'default_manager_name': 'all_orgs',
                        'indexes': [models.Index(fields=['schedule', 'ends_at'], name='oncall_override_recent')],
                    },
                    managers=[
                        ('all_orgs', django.db.models.manager.Manager()),
                    ],
                ),
                migrations.CreateModel(
                    name='EscalationRun',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('uid', models.CharField(default=detectviz.resources.models.new_uid, editable=False, max_length=32, unique=True)),
                        ('policy', models.CharField(max_length=63)),
                        ('steps', models.JSONField(default=list)),
                        ('repeat', models.PositiveIntegerField(default=0)),
                        ('key_digest', models.CharField(max_length=64)),
                        ('group_key', models.CharField(max_length=2000)),
                        ('group_labels', models.JSONField(default=dict)),
                        ('fingerprints', models.JSONField(default=list)),
                        ('state', models.CharField(choices=[('running', 'Running'), ('paused', 'Held back'), ('acknowledged', 'Acknowledged'), ('exhausted', 'Nobody answered'), ('resolved', 'Resolved'), ('replaced', 'Begun anew')], default='running', max_length=12)),
                        ('round', models.PositiveIntegerField(default=0)),
                        ('step', models.PositiveIntegerField(default=0)),
                        ('started_at', models.DateTimeField()),
                        ('next_at', models.DateTimeField(blank=True, null=True)),
                        ('ended_at', models.DateTimeField(blank=True, null=True)),
                        ('org', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='orgs.org')),
                    ],
                    options={
                        'ordering': ['-started_at', '-id'],
                        'abstract': False,
                        'base_manager_name': 'all_orgs',
                        'default_manager_name': 'all_orgs',
                        'indexes': [models.Index(condition=models.Q(('ended_at__isnull', True)), fields=['next_at'], name='oncall_run_due'), models.Index(fields=['org', '-started_at'], name='oncall_run_recent')],
                        'constraints': [models.UniqueConstraint(condition=models.Q(('ended_at__isnull', True)), fields=('org', 'key_digest'), name='oncall_one_open_run')],
                    },
                    managers=[
                        ('all_orgs', django.db.models.manager.Manager()),
                    ],
                ),
                migrations.CreateModel(
                    name='EscalationNotice',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('round', models.PositiveIntegerField()),
                        ('step', models.PositiveIntegerField()),
                        ('target', models.CharField(max_length=160)),
                        ('person', models.CharField(blank=True, default='', max_length=63)),
                        ('contact_point', models.CharField(max_length=63)),
                        ('receiver', models.CharField(max_length=63)),
                        ('state', models.CharField(choices=[('planned', 'Planned'), ('sent', 'Sent'), ('cancelled', 'Not needed any more'), ('unreachable', 'Cannot be reached')], default='planned', max_length=12)),
                        ('due_at', models.DateTimeField()),
                        ('sent_at', models.DateTimeField(blank=True, null=True)),
                        ('delivery', models.CharField(blank=True, default='', max_length=32)),
                        ('org', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='orgs.org')),
                        ('run', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='notices', to='oncall.escalationrun')),
                    ],
                    options={
                        'ordering': ['due_at', 'id'],
                        'abstract': False,
                        'base_manager_name': 'all_orgs',
                        'default_manager_name': 'all_orgs',
                        'indexes': [models.Index(condition=models.Q(('state', 'planned')), fields=['due_at'], name='oncall_notice_due')],
                        'constraints': [models.UniqueConstraint(fields=('run', 'round', 'step', 'contact_point', 'receiver'), name='oncall_notice_once')],
                    },
                    managers=[
                        ('all_orgs', django.db.models.manager.Manager()),
                    ],
                ),
                migrations.CreateModel(
                    name='NotificationPreference',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('rules', models.JSONField(default=list)),
                        ('time_zone', models.CharField(default='UTC', max_length=64)),
                        ('quiet_start', models.CharField(blank=True, default='', max_length=5)),
                        ('quiet_end', models.CharField(blank=True, default='', max_length=5)),
                        ('quiet_except', models.JSONField(default=list)),
                        ('org', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='orgs.org')),
                        ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='notification_preferences', to=settings.AUTH_USER_MODEL)),
                    ],
                    options={
                        'abstract': False,
                        'base_manager_name': 'all_orgs',
                        'default_manager_name': 'all_orgs',
                        'constraints': [models.UniqueConstraint(fields=('org', 'user'), name='oncall_preference_unique')],
                    },
                    managers=[
                        ('all_orgs', django.db.models.manager.Manager()),
                    ],
                ),
                migrations.CreateModel(
                    name='ContactMethod',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('name', models.CharField(max_length=63, validators=[django.core.validators.RegexValidator('^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$', 'Use lowercase letters, digits and dashes, at most 63, starting and ending with a letter or digit (DNS-1123).')])),
                        ('notifier', models.CharField(max_length=63)),
                        ('config', models.JSONField(default=dict)),
                        ('secrets', detectviz.crypto.fields.EncryptedJSONField(blank=True, default=dict, editable=False)),
                        ('uid', models.CharField(default=detectviz.resources.models.new_uid, editable=False, max_length=32, unique=True)),
                        ('verified_at', models.DateTimeField(blank=True, null=True)),
                        ('org', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='orgs.org')),
                        ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='contact_methods', to=settings.AUTH_USER_MODEL)),
                    ],
                    options={
                        'ordering': ['name'],
                        'abstract': False,
                        'base_manager_name': 'all_orgs',
                        'default_manager_name': 'all_orgs',
                        'constraints': [models.UniqueConstraint(fields=('org', 'user', 'name'), name='oncall_method_unique')],
                    },
                    managers=[
                        ('all_orgs', django.db.models.manager.Manager()),
                    ],
                ),
                migrations.CreateModel(
                    name='EscalationPolicy',
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
                        ('description', models.CharField(blank=True, default='', max_length=1000)),
                        ('steps', models.JSONField(default=list)),
                        ('repeat', models.PositiveIntegerField(default=0)),
                        ('folder', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.RESTRICT, related_name='+', to='orgs.folder')),
                        ('org', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='orgs.org')),
                    ],
                    options={
                        'ordering': ['name'],
                        'abstract': False,
                        'base_manager_name': 'all_orgs',
                        'default_manager_name': 'all_orgs',
                        'constraints': [models.UniqueConstraint(fields=('org', 'name'), name='oncall_escalationpolicy_name_unique_in_org')],
                    },
                    managers=[
                        ('all_orgs', django.db.models.manager.Manager()),
                    ],
                ),
                migrations.CreateModel(
                    name='CallbackSeen',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('digest', models.CharField(editable=False, max_length=64, unique=True)),
                        ('at', models.DateTimeField()),
                        ('org', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='orgs.org')),
                    ],
                    options={
                        'abstract': False,
                        'base_manager_name': 'all_orgs',
                        'default_manager_name': 'all_orgs',
                        'indexes': [models.Index(fields=['at'], name='oncall_seen_age')],
                    },
                    managers=[
                        ('all_orgs', django.db.models.manager.Manager()),
                    ],
                ),
                migrations.CreateModel(
                    name='ChatCallback',
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
                        ('service', models.CharField(choices=[('slack', 'Slack'), ('telegram', 'Telegram'), ('discord', 'Discord'), ('generic', 'Generic')], max_length=10)),
                        ('secrets', detectviz.crypto.fields.EncryptedJSONField(blank=True, default=dict, editable=False)),
                        ('enabled', models.BooleanField(default=True)),
                        ('folder', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.RESTRICT, related_name='+', to='orgs.folder')),
                        ('org', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='orgs.org')),
                    ],
                    options={
                        'ordering': ['name'],
                        'abstract': False,
                        'base_manager_name': 'all_orgs',
                        'default_manager_name': 'all_orgs',
                        'constraints': [models.UniqueConstraint(fields=('org', 'name'), name='oncall_chatcallback_name_unique_in_org')],
                    },
                    managers=[
                        ('all_orgs', django.db.models.manager.Manager()),
                    ],
                ),
                migrations.CreateModel(
                    name='Incident',
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
                        ('summary', models.TextField(blank=True, default='')),
                        ('severity', models.CharField(choices=[('critical', 'Critical'), ('major', 'Major'), ('minor', 'Minor')], default='major', max_length=8)),
                        ('status', models.CharField(choices=[('investigating', 'Investigating'), ('identified', 'Identified'), ('monitoring', 'Monitoring'), ('resolved', 'Resolved')], default='investigating', max_length=13)),
                        ('roles', models.JSONField(default=dict)),
                        ('matchers', models.JSONField(default=list)),
                        ('opened_at', models.DateTimeField()),
                        ('resolved_at', models.DateTimeField(blank=True, null=True)),
                        ('folder', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.RESTRICT, related_name='+', to='orgs.folder')),
                        ('org', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='orgs.org')),
                    ],
                    options={
                        'ordering': ['-opened_at', '-id'],
                        'abstract': False,
                        'base_manager_name': 'all_orgs',
                        'default_manager_name': 'all_orgs',
                        'indexes': [models.Index(fields=['org', '-opened_at'], name='oncall_incident_recent'), models.Index(condition=models.Q(('resolved_at__isnull', True)), fields=['org'], name='oncall_incident_open')],
                        'constraints': [models.UniqueConstraint(fields=('org', 'name'), name='oncall_incident_name_unique_in_org')],
                    },
                    managers=[
                        ('all_orgs', django.db.models.manager.Manager()),
                    ],
                ),
                migrations.CreateModel(
                    name='IncidentAlert',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('fingerprint', models.CharField(max_length=32)),
                        ('labels', models.JSONField(default=dict)),
                        ('joined_at', models.DateTimeField()),
                        ('incident', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='alerts', to='oncall.incident')),
                        ('org', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='orgs.org')),
                    ],
                    options={
                        'ordering': ['joined_at', 'id'],
                        'abstract': False,
                        'base_manager_name': 'all_orgs',
                        'default_manager_name': 'all_orgs',
                        'constraints': [models.UniqueConstraint(fields=('incident', 'fingerprint'), name='oncall_incident_alert_once')],
                    },
                    managers=[
                        ('all_orgs', django.db.models.manager.Manager()),
                    ],
                ),
                migrations.CreateModel(
                    name='IncidentEntry',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('kind', models.CharField(choices=[('opened', 'Opened'), ('note', 'Note'), ('status', 'Status'), ('severity', 'Severity'), ('role', 'Role'), ('alert', 'Alert')], max_length=8)),
                        ('at', models.DateTimeField()),
                        ('actor_name', models.CharField(max_length=150)),
                        ('text', models.TextField()),
                        ('incident', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='entries', to='oncall.incident')),
                        ('org', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='orgs.org')),
                    ],
                    options={
                        'ordering': ['at', 'id'],
                        'abstract': False,
                        'base_manager_name': 'all_orgs',
                        'default_manager_name': 'all_orgs',
                    },
                    managers=[
                        ('all_orgs', django.db.models.manager.Manager()),
                    ],
                ),
            ],
        ),
    ]
