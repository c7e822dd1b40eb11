"""What a fresh installation starts with."""

import secrets
import string

from django.db import transaction

from apps.accounts.models import Role, User
from apps.accounts.services.users import membership_add, user_create
from apps.orgs.selectors import org_find
from apps.orgs.services import org_create
from detectviz.crypto.services import platform_key_ensure

DEFAULT_ORG = "default"
_LENGTH = 20


@transaction.atomic
def platform_bootstrap(
    *,
    username: str = "admin",
    email: str = "admin@localhost.localdomain",
    password: str | None = None,
) -> str | None:
    """Create the org ``default`` and a platform administrator who is its admin.

    Returns the password it made up; None when one was given, or when there is an administrator
    already and nothing is done. Raises InvalidFieldsError for a password below the policy, and on
    every start WrongMasterKeysError when they are not this database's.
    """
    platform_key_ensure()
    if User.objects.filter(is_superuser=True).exists():
        return None
    generated = None if password else generated_password()
    org = org_find(DEFAULT_ORG) or org_create(name=DEFAULT_ORG, title="Default")
    user = user_create(
        username=username, email=email, password=password or generated, is_superuser=True
    )
    role = Role.objects.for_org(org).get(name="admin", is_builtin=True)
    membership_add(org=org, user=user, role=role, actor=None)
    return generated


def generated_password() -> str:
    """Return a random password that is easy to type and meets the policy."""
    alphabet = string.ascii_letters + string.digits
    while True:
        password = "".join(secrets.choice(alphabet) for _ in range(_LENGTH))
        if any(c.isdigit() for c in password) and any(c.isupper() for c in password):
            return password
