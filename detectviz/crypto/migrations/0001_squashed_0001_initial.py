"""Create the tables of crypto in one step, as 1 migration made them (ADR 0036)."""

import detectviz.migrating
import detectviz.resources.models
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    replaces = [('crypto', '0001_initial')]

    initial = True

    dependencies = [
        ('orgs', '0001_initial'),
    ]

    operations = [
        detectviz.migrating.CreateModels(
            operations=[
                migrations.CreateModel(
                    name='DataKey',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('uid', models.CharField(default=detectviz.resources.models.new_uid, editable=False, max_length=32, unique=True)),
                        ('scope', models.CharField(max_length=32)),
                        ('kek_id', models.CharField(db_index=True, max_length=16)),
                        ('wrapped', models.TextField()),
                        ('created_at', models.DateTimeField(auto_now_add=True)),
                        ('retired_at', models.DateTimeField(blank=True, null=True)),
                        ('org', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='orgs.org')),
                    ],
                    options={
                        'constraints': [models.UniqueConstraint(condition=models.Q(('retired_at__isnull', True)), fields=('scope',), name='crypto_datakey_one_current_per_scope')],
                    },
                ),
            ],
        ),
    ]
