"""Create the tables of accounts in one step, as 2 migrations made them (ADR 0036)."""

import detectviz.migrating
import detectviz.resources.models
import django.contrib.auth.models
import django.contrib.auth.validators
import django.core.validators
import django.db.models.deletion
import django.db.models.functions.text
import django.db.models.manager
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    replaces = [('accounts', '0001_initial'), ('accounts', '0002_user_theme')]

    initial = True

    dependencies = [
        ('auth', '0012_alter_user_first_name_max_length'),
        ('contenttypes', '0002_remove_content_type_name'),
        ('orgs', '0001_initial'),
    ]

    operations = [
        detectviz.migrating.CreateModels(
            operations=[
                migrations.CreateModel(
                    name='User',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('password', models.CharField(max_length=128, verbose_name='password')),
                        ('last_login', models.DateTimeField(blank=True, null=True, verbose_name='last login')),
                        ('is_superuser', models.BooleanField(default=False, help_text='Designates that this user has all permissions without explicitly assigning them.', verbose_name='superuser status')),
                        ('username', models.CharField(error_messages={'unique': 'A user with that username already exists.'}, help_text='Required. 150 characters or fewer. Letters, digits and @/./+/-/_ only.', max_length=150, unique=True, validators=[django.contrib.auth.validators.UnicodeUsernameValidator()], verbose_name='username')),
                        ('first_name', models.CharField(blank=True, max_length=150, verbose_name='first name')),
                        ('last_name', models.CharField(blank=True, max_length=150, verbose_name='last name')),
                        ('email', models.EmailField(blank=True, max_length=254, verbose_name='email address')),
                        ('is_staff', models.BooleanField(default=False, help_text='Designates whether the user can log into this admin site.', verbose_name='staff status')),
                        ('is_active', models.BooleanField(default=True, help_text='Designates whether this user should be treated as active. Unselect this instead of deleting accounts.', verbose_name='active')),
                        ('date_joined', models.DateTimeField(default=django.utils.timezone.now, verbose_name='date joined')),
                        ('uid', models.CharField(default=detectviz.resources.models.new_uid, editable=False, max_length=32, unique=True)),
                        ('kind', models.CharField(choices=[('person', 'Person'), ('service', 'Service account')], default='person', max_length=16)),
                        ('groups', models.ManyToManyField(blank=True, help_text='The groups this user belongs to. A user will get all permissions granted to each of their groups.', related_name='user_set', related_query_name='user', to='auth.group', verbose_name='groups')),
                        ('preferred_org', models.ForeignKey(blank=True, help_text='The organisation opened after signing in.', null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='orgs.org')),
                        ('user_permissions', models.ManyToManyField(blank=True, help_text='Specific permissions for this user.', related_name='user_set', related_query_name='user', to='auth.permission', verbose_name='user permissions')),
                        ('theme', models.CharField(blank=True, default='', editable=False, help_text='A theme plugin; empty follows the organisation, - is the plain look.', max_length=63)),
                    ],
                    options={
                        'verbose_name': 'user',
                        'verbose_name_plural': 'users',
                        'abstract': False,
                        'constraints': [models.UniqueConstraint(django.db.models.functions.text.Lower('email'), condition=models.Q(('email', ''), _negated=True), name='accounts_user_email_unique', violation_error_message='A user with that e-mail address already exists.'), models.UniqueConstraint(django.db.models.functions.text.Lower('username'), name='accounts_user_username_unique', violation_error_message='A user with that username already exists.')],
                    },
                    managers=[
                        ('objects', django.contrib.auth.models.UserManager()),
                    ],
                ),
                migrations.CreateModel(
                    name='ApiKey',
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
                        ('key_id', models.CharField(editable=False, max_length=16, unique=True)),
                        ('digest', models.CharField(editable=False, max_length=64)),
                        ('scopes', models.JSONField(default=list)),
                        ('expires_at', models.DateTimeField(blank=True, null=True)),
                        ('revoked_at', models.DateTimeField(blank=True, null=True)),
                        ('last_used_at', models.DateTimeField(blank=True, editable=False, null=True)),
                        ('created_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                        ('org', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='orgs.org')),
                        ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='api_keys', to=settings.AUTH_USER_MODEL)),
                    ],
                    options={
                        'ordering': ['name'],
                        'abstract': False,
                        'base_manager_name': 'all_orgs',
                        'default_manager_name': 'all_orgs',
                        'constraints': [models.UniqueConstraint(fields=('org', 'name'), name='accounts_apikey_name_unique_in_org')],
                    },
                    managers=[
                        ('all_orgs', django.db.models.manager.Manager()),
                    ],
                ),
                migrations.CreateModel(
                    name='Membership',
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
                        ('is_active', models.BooleanField(default=True)),
                        ('org', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='orgs.org')),
                        ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='memberships', to=settings.AUTH_USER_MODEL)),
                    ],
                    options={
                        'ordering': ['name'],
                        'abstract': False,
                        'base_manager_name': 'all_orgs',
                        'default_manager_name': 'all_orgs',
                        'constraints': [models.UniqueConstraint(fields=('org', 'name'), name='accounts_membership_name_unique_in_org'), models.UniqueConstraint(fields=('org', 'user'), name='accounts_membership_user_once_in_org')],
                    },
                    managers=[
                        ('all_orgs', django.db.models.manager.Manager()),
                    ],
                ),
                migrations.CreateModel(
                    name='Role',
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
                        ('description', models.CharField(blank=True, default='', max_length=500)),
                        ('is_builtin', models.BooleanField(default=False, editable=False)),
                        ('permissions', models.JSONField(default=list)),
                        ('org', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='orgs.org')),
                    ],
                    options={
                        'ordering': ['name'],
                        'abstract': False,
                        'base_manager_name': 'all_orgs',
                        'default_manager_name': 'all_orgs',
                        'constraints': [models.UniqueConstraint(fields=('org', 'name'), name='accounts_role_name_unique_in_org')],
                    },
                    managers=[
                        ('all_orgs', django.db.models.manager.Manager()),
                    ],
                ),
                migrations.CreateModel(
                    name='Invitation',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('uid', models.CharField(default=detectviz.resources.models.new_uid, editable=False, max_length=32, unique=True)),
                        ('email', models.EmailField(max_length=254)),
                        ('digest', models.CharField(editable=False, max_length=64, unique=True)),
                        ('created_at', models.DateTimeField(auto_now_add=True)),
                        ('expires_at', models.DateTimeField()),
                        ('accepted_at', models.DateTimeField(blank=True, null=True)),
                        ('revoked_at', models.DateTimeField(blank=True, null=True)),
                        ('invited_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                        ('org', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='orgs.org')),
                        ('role', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='accounts.role')),
                    ],
                    options={
                        'ordering': ['-created_at'],
                        'abstract': False,
                        'base_manager_name': 'all_orgs',
                        'default_manager_name': 'all_orgs',
                        'constraints': [models.UniqueConstraint(models.F('org'), django.db.models.functions.text.Lower('email'), condition=models.Q(('accepted_at__isnull', True), ('revoked_at__isnull', True)), name='accounts_invitation_one_open_per_address')],
                    },
                    managers=[
                        ('all_orgs', django.db.models.manager.Manager()),
                    ],
                ),
                migrations.CreateModel(
                    name='ServiceAccount',
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
                        ('description', models.CharField(blank=True, default='', max_length=500)),
                        ('org', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='orgs.org')),
                        ('user', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='service_account', to=settings.AUTH_USER_MODEL)),
                    ],
                    options={
                        'ordering': ['name'],
                        'abstract': False,
                        'base_manager_name': 'all_orgs',
                        'default_manager_name': 'all_orgs',
                        'constraints': [models.UniqueConstraint(fields=('org', 'name'), name='accounts_serviceaccount_name_unique_in_org')],
                    },
                    managers=[
                        ('all_orgs', django.db.models.manager.Manager()),
                    ],
                ),
                migrations.CreateModel(
                    name='Team',
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
                        ('group', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='team', to='auth.group')),
                        ('org', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='orgs.org')),
                    ],
                    options={
                        'ordering': ['name'],
                        'abstract': False,
                        'base_manager_name': 'all_orgs',
                        'default_manager_name': 'all_orgs',
                        'constraints': [models.UniqueConstraint(fields=('org', 'name'), name='accounts_team_name_unique_in_org')],
                    },
                    managers=[
                        ('all_orgs', django.db.models.manager.Manager()),
                    ],
                ),
                migrations.CreateModel(
                    name='RoleBinding',
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
                        ('scope_uid', models.CharField(blank=True, default='', max_length=32)),
                        ('org', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='orgs.org')),
                        ('role', models.ForeignKey(on_delete=django.db.models.deletion.RESTRICT, related_name='bindings', to='accounts.role')),
                        ('scope_folder', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='orgs.folder')),
                        ('scope_type', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='contenttypes.contenttype')),
                        ('user', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
                        ('service_account', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='bindings', to='accounts.serviceaccount')),
                        ('team', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='bindings', to='accounts.team')),
                    ],
                    options={
                        'ordering': ['name'],
                        'abstract': False,
                        'base_manager_name': 'all_orgs',
                        'default_manager_name': 'all_orgs',
                        'indexes': [models.Index(fields=['scope_type', 'scope_uid'], name='accounts_ro_scope_t_4dda44_idx')],
                        'constraints': [models.UniqueConstraint(fields=('org', 'name'), name='accounts_rolebinding_name_unique_in_org'), models.CheckConstraint(condition=models.Q(models.Q(('service_account__isnull', True), ('team__isnull', True), ('user__isnull', False)), models.Q(('service_account__isnull', True), ('team__isnull', False), ('user__isnull', True)), models.Q(('service_account__isnull', False), ('team__isnull', True), ('user__isnull', True)), _connector='OR'), name='accounts_rolebinding_one_subject'), models.CheckConstraint(condition=models.Q(('scope_folder__isnull', True), ('scope_type__isnull', True), _connector='OR'), name='accounts_rolebinding_one_scope')],
                    },
                    managers=[
                        ('all_orgs', django.db.models.manager.Manager()),
                    ],
                ),
            ],
        ),
    ]
