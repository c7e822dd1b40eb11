"""React to what happens elsewhere: a new org needs roles, a gone object needs no bindings."""

from typing import Any

from django.contrib.auth.models import Group
from django.db import models
from django.db.models.signals import post_delete

from apps.accounts.models import ApiKey, Membership, ServiceAccount, Team, User
from apps.accounts.services.bindings import bindings_on_deleted
from apps.accounts.services.roles import roles_create_builtin
from apps.orgs.models import Org
from apps.orgs.selectors import org_get_by_id
from detectviz.events.bus import subscribe
from detectviz.events.types import OrgCreated
from detectviz.permissions.memory import watch
from detectviz.permissions.scopes import scope_models
from detectviz.resources.models import ResourceModel


@subscribe(OrgCreated)
def on_org_created(event: OrgCreated) -> None:
    """Give the org its built-in roles."""
    roles_create_builtin(org=org_get_by_id(event.org_id))


def on_scope_deleted(instance: models.Model, **kwargs: Any) -> None:
    """Delete the role bindings on what is gone."""
    if isinstance(instance, ResourceModel):
        bindings_on_deleted(instance)


def on_team_deleted(instance: Team, **kwargs: Any) -> None:
    """Delete the Django group behind a team, and with it all grants."""
    Group.objects.filter(pk=instance.group_id).delete()


def on_serviceaccount_deleted(instance: ServiceAccount, **kwargs: Any) -> None:
    """Delete the user behind a service account."""
    User.objects.filter(pk=instance.user_id).delete()


for model in scope_models():
    post_delete.connect(on_scope_deleted, sender=model, dispatch_uid=f"bindings-{model.__name__}")
post_delete.connect(on_team_deleted, sender=Team)
post_delete.connect(on_serviceaccount_deleted, sender=ServiceAccount)
watch(User, ApiKey, Membership, Team, Org)
