"""Service accounts: identities of programs."""

from django.db import models, transaction

from apps.accounts.enums import UserKind
from apps.accounts.errors import EscalationError
from apps.accounts.models import Membership, ServiceAccount, User
from detectviz.permissions.access import access_of
from detectviz.permissions.requests import actor_access
from detectviz.resources.models import new_uid


@transaction.atomic
def serviceaccount_create(
    *, org: models.Model, name: str, title: str = "", description: str = ""
) -> ServiceAccount:
    """Create a service account that may do nothing yet, with the user behind it."""
    uid = new_uid()
    user = User(username=f"service:{uid}", kind=UserKind.SERVICE, first_name=name)
    user.set_unusable_password()
    user.save()
    Membership.objects.create_for(org, user=user, name=f"service-{uid}", title=title or name)
    account: ServiceAccount = ServiceAccount.objects.create_for(
        org, uid=uid, name=name, title=title, description=description, user=user
    )
    return account


@transaction.atomic
def serviceaccount_update(
    *, account: ServiceAccount, title: str, description: str, is_active: bool
) -> ServiceAccount:
    """Change a service account, or switch it off with all of its keys."""
    account.title, account.description = title, description
    account.save()
    if account.user.is_active != is_active:
        account.user.is_active = is_active
        account.user.save(update_fields=["is_active"])
    return account


@transaction.atomic
def serviceaccount_delete(*, account: ServiceAccount, actor: models.Model | None) -> None:
    """Delete a service account, its keys and its bindings; the actor must hold all it does."""
    org = account.org
    if not actor_access(actor, org).covers_access(access_of(account.user, org)):
        raise EscalationError
    account.user.delete()
