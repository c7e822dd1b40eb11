"""Create the tables of events in one step, as 1 migration made them (ADR 0036)."""

import detectviz.migrating
import detectviz.resources.models
import django.db.models.deletion
import django.db.models.manager
from django.db import migrations, models


class Migration(migrations.Migration):

    replaces = [('events', '0001_outbox')]

    initial = True

    dependencies = [
        ('orgs', '0002_quota'),
    ]

    operations = [
        detectviz.migrating.CreateModels(
            operations=[
                migrations.CreateModel(
                    name='OutboxEvent',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('uid', models.CharField(default=detectviz.resources.models.new_uid, editable=False, max_length=32, unique=True)),
                        ('type', models.CharField(max_length=100)),
                        ('version', models.PositiveIntegerField()),
                        ('subject', models.CharField(max_length=300)),
                        ('key', models.CharField(max_length=200)),
                        ('data', models.JSONField()),
                        ('at', models.DateTimeField()),
                        ('created_at', models.DateTimeField()),
                        ('org', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='orgs.org')),
                    ],
                    options={
                        'ordering': ['pk'],
                        'abstract': False,
                        'base_manager_name': 'all_orgs',
                        'default_manager_name': 'all_orgs',
                        'indexes': [models.Index(fields=['org', '-id'], name='events_outb_org_id_1a5959_idx'), models.Index(fields=['created_at'], name='events_outb_created_c2c347_idx')],
                    },
                    managers=[
                        ('all_orgs', django.db.models.manager.Manager()),
                    ],
                ),
                migrations.CreateModel(
                    name='EventDelivery',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('uid', models.CharField(default=detectviz.resources.models.new_uid, editable=False, max_length=32, unique=True)),
                        ('target', models.CharField(max_length=100)),
                        ('status', models.CharField(choices=[('pending', 'Pending'), ('done', 'Done'), ('dead', 'Dead'), ('discarded', 'Discarded')], default='pending', max_length=10)),
                        ('attempts', models.PositiveIntegerField(default=0)),
                        ('next_attempt_at', models.DateTimeField()),
                        ('changed_at', models.DateTimeField()),
                        ('last_error', models.TextField(blank=True, default='')),
                        ('org', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='orgs.org')),
                        ('event', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='deliveries', to='events.outboxevent')),
                    ],
                    options={
                        'ordering': ['pk'],
                        'abstract': False,
                        'base_manager_name': 'all_orgs',
                        'default_manager_name': 'all_orgs',
                        'indexes': [models.Index(fields=['status', 'next_attempt_at'], name='events_even_status_097b96_idx'), models.Index(fields=['org', 'status'], name='events_even_org_id_4853d4_idx')],
                        'constraints': [models.UniqueConstraint(fields=('event', 'target'), name='events_delivery_once_each')],
                    },
                    managers=[
                        ('all_orgs', django.db.models.manager.Manager()),
                    ],
                ),
            ],
        ),
    ]
