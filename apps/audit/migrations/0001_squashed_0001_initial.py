"""Create the tables of audit in one step, as 1 migration made them (ADR 0036)."""

import detectviz.migrating
import detectviz.resources.models
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    replaces = [('audit', '0001_initial')]

    initial = True

    dependencies = [
        ('orgs', '0001_initial'),
    ]

    operations = [
        detectviz.migrating.CreateModels(
            operations=[
                migrations.CreateModel(
                    name='AuditChain',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('scope', models.CharField(max_length=32, unique=True)),
                        ('last_seq', models.PositiveBigIntegerField(default=0)),
                        ('last_hash', models.CharField(blank=True, default='', max_length=64)),
                        ('pruned_seq', models.PositiveBigIntegerField(default=0)),
                        ('pruned_hash', models.CharField(blank=True, default='', max_length=64)),
                    ],
                ),
                migrations.CreateModel(
                    name='AuditEvent',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('uid', models.CharField(default=detectviz.resources.models.new_uid, editable=False, max_length=32, unique=True)),
                        ('scope', models.CharField(max_length=32)),
                        ('seq', models.PositiveBigIntegerField()),
                        ('at', models.DateTimeField()),
                        ('actor_id', models.BigIntegerField(null=True)),
                        ('actor_name', models.CharField(max_length=150)),
                        ('via', models.CharField(max_length=16)),
                        ('address', models.GenericIPAddressField(null=True)),
                        ('request_id', models.CharField(max_length=64)),
                        ('action', models.CharField(max_length=64)),
                        ('kind', models.CharField(blank=True, default='', max_length=64)),
                        ('name', models.CharField(blank=True, default='', max_length=200)),
                        ('object_uid', models.CharField(blank=True, default='', max_length=32)),
                        ('is_success', models.BooleanField(default=True)),
                        ('before_json', models.TextField(blank=True, default='')),
                        ('after_json', models.TextField(blank=True, default='')),
                        ('prev_hash', models.CharField(blank=True, max_length=64)),
                        ('hash', models.CharField(max_length=64)),
                        ('org', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='orgs.org')),
                    ],
                    options={
                        'ordering': ['-at', '-seq'],
                        'indexes': [models.Index(fields=['org', '-at'], name='audit_audit_org_id_e82b40_idx'), models.Index(fields=['org', 'kind', 'name'], name='audit_audit_org_id_696c83_idx')],
                        'constraints': [models.UniqueConstraint(fields=('scope', 'seq'), name='audit_event_seq_once_in_chain')],
                    },
                ),
            ],
        ),
    ]
