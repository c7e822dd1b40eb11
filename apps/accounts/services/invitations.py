"""Invitations: join an org by a link that only the owner of an e-mail address receives."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import send_mail
from django.core.validators import validate_email
from django.db import models, transaction
from django.template.loader import render_to_string

from apps.accounts.enums import UserKind
from apps.accounts.errors import InvitationGoneError
from apps.accounts.models import Invitation, Membership, Role, User
from apps.accounts.services.bindings import require_cover
from apps.accounts.services.tokens import link_token_new, token_digest
from apps.accounts.services.users import membership_add, user_create
from detectviz.events.bus import publish
from detectviz.events.types import SecurityEventOccurred
from detectviz.resources.errors import ConflictError, ForbiddenError, InvalidFieldsError

VALID_FOR = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class SentInvitation:
    """An invitation and its link, which is shown and sent once and never stored."""

    invitation: Invitation
    link: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPerson:
    """What somebody without an account says about themselves when accepting."""

    username: str
    password: str = field(repr=False)
    full_name: str = ""


@transaction.atomic
def invitation_create(
    *, org: models.Model, email: str, role: Role, actor: models.Model | None, now: datetime
) -> SentInvitation:
    """Invite an address with a role that the actor holds; an open invitation to it is replaced.

    The mail is sent after the commit. Raises EscalationError, InvalidFieldsError, ConflictError.
    """
    _check_address(org, email)
    require_cover(actor, org, role.permissions)
    rows = Invitation.objects.for_org(org)
    rows.filter(email__iexact=email, accepted_at=None, revoked_at=None).update(revoked_at=now)
    token = link_token_new()
    invitation: Invitation = Invitation.objects.create_for(
        org,
        email=email,
        role=role,
        digest=token.digest,
        invited_by=actor,
        expires_at=now + VALID_FOR,
    )
    link = f"{settings.EXTERNAL_URL}/invitations/{token.token}"
    _tell(invitation, "invitation.create", actor)
    transaction.on_commit(lambda: _send(invitation, link))
    return SentInvitation(invitation=invitation, link=link)


def invitation_revoke(*, invitation: Invitation, actor: models.Model | None, now: datetime) -> None:
    """Make the link worthless."""
    if invitation.is_open:
        invitation.revoked_at = now
        invitation.save(update_fields=["revoked_at"])
        _tell(invitation, "invitation.revoke", actor)


def invitation_find(*, token: str) -> Invitation:
    """Return the open invitation of a link, or raise InvitationGoneError."""
    rows = Invitation.objects.across_orgs(reason="the link is what says which org it belongs to")
    found: Invitation | None = (
        rows.filter(digest=token_digest(token), org__is_active=True)
        .select_related("org", "role", "invited_by")
        .first()
    )
    if found is None or not found.is_open:
        raise InvitationGoneError
    return found


@transaction.atomic
def invitation_accept(
    *, token: str, now: datetime, user: User | None = None, person: NewPerson | None = None
) -> User:
    """Join the org: a signed-in ``user`` with the invited address, or a new ``person``.

    The link proves the address. Somebody who has an account must sign in first, so a link in the
    wrong hands never becomes a way into an existing account.
    """
    invitation = invitation_find(token=token)
    locked = Invitation.objects.for_org(invitation.org_id).filter(
        pk=invitation.pk, accepted_at=None, revoked_at=None
    )
    if not locked.update(accepted_at=now):
        raise InvitationGoneError
    joining = _joining(invitation, user, person)
    inviter = invitation.invited_by
    if inviter is None:
        raise InvitationGoneError  # whoever invited is gone, and with them the right to do so
    require_cover(inviter, invitation.org, invitation.role.permissions)
    membership_add(org=invitation.org, user=joining, role=invitation.role, actor=inviter)
    _tell(invitation, "invitation.accept", joining)
    return joining


def account_exists(*, email: str) -> bool:
    """Tell whether somebody has an account with this address."""
    return User.objects.filter(email__iexact=email).exists()


def _joining(invitation: Invitation, user: User | None, person: NewPerson | None) -> User:
    if user is not None:
        if user.email.lower() != invitation.email.lower() or user.kind != UserKind.PERSON:
            raise ForbiddenError(
                f"This invitation was sent to {invitation.email}. Sign in with that account."
            )
        return user
    if person is None or account_exists(email=invitation.email):
        raise ForbiddenError("Sign in with the account of the invited address first.")
    return user_create(
        username=person.username,
        email=invitation.email,
        password=person.password,
        full_name=person.full_name,
    )


def _check_address(org: models.Model, email: str) -> None:
    try:
        validate_email(email)
    except ValidationError as error:
        raise InvalidFieldsError({"email": list(error.messages)}) from None
    if Membership.objects.for_org(org).filter(user__email__iexact=email, is_active=True).exists():
        raise ConflictError(f"{email} is a member already.")


def _send(invitation: Invitation, link: str) -> None:
    context: dict[str, Any] = {"invitation": invitation, "link": link}
    org = invitation.org
    send_mail(
        f"Join {org.title or org.name} on Detectviz".replace("\n", " "),
        render_to_string("accounts/mail/invitation.txt", context),
        None,
        [invitation.email],
        fail_silently=True,  # the link was shown to the inviter, who can pass it on
    )


def _tell(invitation: Invitation, action: str, actor: models.Model | None) -> None:
    publish(
        SecurityEventOccurred(
            action=action,
            org_id=invitation.org_id,
            actor_id=actor.pk if actor else None,
            kind="Invitation",
            name=invitation.email,
            uid=invitation.uid,
            details={"role": invitation.role.name},
        )
    )
