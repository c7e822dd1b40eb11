"""People and programs, and what they may do in an org."""

from django.conf import settings
from django.contrib.auth.models import AbstractUser, Group
from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone

from apps.accounts.enums import UserKind
from detectviz.json_field import JSONField
from detectviz.resources.models import ResourceModel, new_uid
from detectviz.tenancy.models import OrgOwned


class User(AbstractUser):
    """A person, or the identity behind a service account. Belongs to orgs by memberships."""

    uid = models.CharField(max_length=32, unique=True, default=new_uid, editable=False)
    kind = models.CharField(max_length=16, choices=UserKind, default=UserKind.PERSON)
    preferred_org = models.ForeignKey(
        settings.DETECTVIZ_ORG_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        help_text="The organisation opened after signing in.",
    )
    theme = models.CharField(
        max_length=63,
        blank=True,
        default="",
        editable=False,
        help_text="A theme plugin; empty follows the organisation, - is the plain look.",
    )

    class Meta(AbstractUser.Meta):
        constraints = [
            models.UniqueConstraint(
                Lower("email"),
                condition=~models.Q(email=""),
                name="accounts_user_email_unique",
                violation_error_message="A user with that e-mail address already exists.",
            ),
            models.UniqueConstraint(
                Lower("username"),
                name="accounts_user_username_unique",
                violation_error_message="A user with that username already exists.",
            ),
        ]


class FolderlessModel(ResourceModel):
    """What hands out permissions lies in no folder: a folder's keeper must not reach it."""

    folder = None  # removes the inherited field, as Django documents

    class Meta(ResourceModel.Meta):
        abstract = True


class Membership(FolderlessModel):
    """A user's place in an org; seen as the resource ``User``. ``name`` follows the username."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    is_active = models.BooleanField(default=True)

    class Meta(FolderlessModel.Meta):
        constraints = [
            *ResourceModel.Meta.constraints,
            models.UniqueConstraint(
                fields=["org", "user"], name="accounts_membership_user_once_in_org"
            ),
        ]


class Team(FolderlessModel):
    """Users of an org. The Django group behind it holds the members and the grants."""

    group = models.OneToOneField(Group, on_delete=models.CASCADE, related_name="team")

    @property
    def members(self) -> models.QuerySet[User]:
        """The members, by username."""
        return User.objects.filter(groups=self.group_id).order_by("username")


class Role(FolderlessModel):
    """A named set of permission patterns."""

    description = models.CharField(max_length=500, blank=True, default="")
    is_builtin = models.BooleanField(default=False, editable=False)
    permissions = JSONField(default=list)


class ServiceAccount(FolderlessModel):
    """A program's identity in one org."""

    user = models.OneToOneField(User, on_delete=models.CASCADE, related_name="service_account")
    description = models.CharField(max_length=500, blank=True, default="")


class RoleBinding(FolderlessModel):
    """Gives a role to one subject: in the whole org, in a folder, or on one object.

    These rows are the truth; grants follow them.
    """

    role = models.ForeignKey(Role, on_delete=models.RESTRICT, related_name="bindings")
    user = models.ForeignKey(
        User, on_delete=models.CASCADE, null=True, blank=True, related_name="+"
    )
    team = models.ForeignKey(
        Team, on_delete=models.CASCADE, null=True, blank=True, related_name="bindings"
    )
    service_account = models.ForeignKey(
        ServiceAccount, on_delete=models.CASCADE, null=True, blank=True, related_name="bindings"
    )
    scope_folder = models.ForeignKey(
        settings.DETECTVIZ_FOLDER_MODEL,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
    )
    scope_type = models.ForeignKey(
        ContentType, on_delete=models.CASCADE, null=True, blank=True, related_name="+"
    )
    scope_uid = models.CharField(max_length=32, blank=True, default="")

    class Meta(FolderlessModel.Meta):
        constraints = [
            *ResourceModel.Meta.constraints,
            models.CheckConstraint(
                condition=(
                    models.Q(user__isnull=False, team__isnull=True, service_account__isnull=True)
                    | models.Q(user__isnull=True, team__isnull=False, service_account__isnull=True)
                    | models.Q(user__isnull=True, team__isnull=True, service_account__isnull=False)
                ),
                name="accounts_rolebinding_one_subject",
            ),
            models.CheckConstraint(
                condition=models.Q(scope_folder__isnull=True) | models.Q(scope_type__isnull=True),
                name="accounts_rolebinding_one_scope",
            ),
        ]
        indexes = [models.Index(fields=["scope_type", "scope_uid"])]


class ApiKey(FolderlessModel):
    """A key with which a program acts as a user or service account, in one org only.

    Only a keyed digest of the secret is stored.
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_keys")
    key_id = models.CharField(max_length=16, unique=True, editable=False)
    digest = models.CharField(max_length=64, editable=False)
    scopes = JSONField(default=list)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_by = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )

    token = ""  # the whole token, on the instance that was just created and nowhere else

    @property
    def prefix(self) -> str:
        """The public beginning of the token."""
        return f"dv_{self.key_id}_…"


class Invitation(OrgOwned):
    """An offer to join an org, proved by the link sent to an e-mail address."""

    uid = models.CharField(max_length=32, unique=True, default=new_uid, editable=False)
    email = models.EmailField()
    role = models.ForeignKey(Role, on_delete=models.CASCADE, related_name="+")
    digest = models.CharField(max_length=64, unique=True, editable=False)
    invited_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta(OrgOwned.Meta):
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                "org",
                Lower("email"),
                condition=models.Q(accepted_at__isnull=True, revoked_at__isnull=True),
                name="accounts_invitation_one_open_per_address",
            )
        ]

    def __str__(self) -> str:
        """Return the address."""
        return self.email

    @property
    def is_open(self) -> bool:
        """Tell whether the invitation can still be accepted."""
        ended = self.accepted_at or self.revoked_at
        return ended is None and self.expires_at > timezone.now()
