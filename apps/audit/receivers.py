"""Record what the platform tells about itself."""

from typing import Any

from axes.signals import user_locked_out
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.db.models.signals import post_delete
from django.dispatch import receiver

from apps.accounts.models import User
from apps.audit.models import AuditChain
from apps.audit.services import Entry, audit_record, signin_record
from apps.orgs.models import Org
from detectviz.events.bus import subscribe
from detectviz.events.types import ResourceChanged, SecurityEventOccurred


@subscribe(ResourceChanged)
def on_resource_changed(event: ResourceChanged) -> None:
    """Record a write."""
    audit_record(
        Entry(
            action=f"{event.kind.lower()}.{event.verb or event.action}",
            org_id=event.org_id,
            actor_id=event.actor_id,
            kind=event.kind,
            name=event.name,
            object_uid=event.uid,
            before=event.before,
            after=event.after,
        )
    )


@subscribe(SecurityEventOccurred)
def on_security_event(event: SecurityEventOccurred) -> None:
    """Record what is no write of a resource."""
    audit_record(
        Entry(
            action=event.action,
            org_id=event.org_id,
            actor_id=event.actor_id,
            kind=event.kind,
            name=event.name,
            object_uid=event.uid,
            after=event.details,
            is_success=event.is_success,
        )
    )


@receiver(post_delete, sender=Org)
def on_org_deleted(instance: Org, **kwargs: Any) -> None:
    """Forget the chain of an org whose events went with it."""
    AuditChain.objects.filter(scope=instance.uid).delete()


@receiver(user_logged_in)
def on_logged_in(user: User, **kwargs: Any) -> None:
    """Record a sign-in."""
    signin_record(action="auth.login", username=user.username, is_success=True)


@receiver(user_logged_out)
def on_logged_out(user: User | None, **kwargs: Any) -> None:
    """Record a sign-out."""
    if user is not None:
        signin_record(action="auth.logout", username=user.username, is_success=True)


@receiver(user_login_failed)
def on_login_failed(credentials: dict[str, Any], **kwargs: Any) -> None:
    """Record a failed sign-in under the name that was tried; the password is not looked at."""
    name = str(credentials.get("username", ""))
    signin_record(action="auth.login_failed", username=name, is_success=False)


@receiver(user_locked_out)
def on_locked_out(username: str | None = None, **kwargs: Any) -> None:
    """Record that an account was locked for an address."""
    signin_record(action="auth.lockout", username=username or "", is_success=False)
