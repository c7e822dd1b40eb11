"""Passwords: the policy, and changing one."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from apps.accounts.models import User
from detectviz.events.bus import publish
from detectviz.events.types import SecurityEventOccurred

_MINIMUM_CLASSES = 3
_MAXIMUM = 256


class CharacterClassValidator:
    """Demand three of: small letters, capitals, digits, other characters; or 20 characters."""

    long_enough = 20

    def validate(self, password: str, user: Any = None) -> None:
        """Raise ValidationError with what is missing."""
        classes = [
            any(map(str.islower, password)),
            any(map(str.isupper, password)),
            any(map(str.isdigit, password)),
            any(not character.isalnum() for character in password),
        ]
        if len(password) > _MAXIMUM:
            raise ValidationError(f"Use at most {_MAXIMUM} characters.", code="too_long")
        if sum(classes) < _MINIMUM_CLASSES and len(password) < self.long_enough:
            raise ValidationError(self.get_help_text(), code="too_uniform")

    def get_help_text(self) -> str:
        """Describe the rule."""
        return (
            "Mix at least three of small letters, capitals, digits and other characters, "
            f"or use {self.long_enough} characters or more."
        )


class NotTheCurrentValidator:
    """Refuse the password the user already has."""

    def validate(self, password: str, user: Any = None) -> None:
        """Raise ValidationError when nothing would change."""
        if isinstance(user, User) and user.pk and user.has_usable_password():
            stored = User.objects.filter(pk=user.pk).first()
            if stored is not None and stored.check_password(password):
                raise ValidationError("This is the current password.", code="reused")

    def get_help_text(self) -> str:
        """Describe the rule."""
        return "Use a password other than the current one."


@transaction.atomic
def password_set(*, user: User, password: str, actor: User | None) -> None:
    """Set a password that was validated; every session of the user ends with the old one.

    Django binds sessions to the password's hash. The session that changed it is kept by the view
    with ``update_session_auth_hash``.
    """
    user.set_password(password)
    user.save(update_fields=["password"])
    publish(
        SecurityEventOccurred(
            action="auth.password_change",
            org_id=None,
            actor_id=actor.pk if actor else None,
            kind="User",
            name=user.username,
            uid=user.uid,
        )
    )
