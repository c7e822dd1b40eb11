"""Who asks: people and programs of two orgs, with what their roles and scopes grant."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from django.test import Client

from detectviz.permissions.patterns import PermissionSet
from detectviz.permissions.table import BUILTIN_ROLES

READ_ONLY = ("*:read",)


@dataclass(frozen=True, kw_only=True)
class Persona:
    """One caller. ``grants`` count in the watched org only, and only within ``scopes``."""

    name: str
    is_member: bool = False
    is_anonymous: bool = False
    is_program: bool = False
    grants: Sequence[str] = ()
    scopes: Sequence[str] = ("*:*",)
    client: Client = field(default_factory=lambda: Client(raise_request_exception=False))

    def holds(self, permission: str) -> bool:
        """Tell whether role and scopes grant ``permission`` (PermissionSet has its own tests)."""
        granted = PermissionSet(self.grants).allows(permission)
        return granted and PermissionSet(self.scopes).allows(permission)


def people() -> dict[str, Persona]:
    """Return every persona, not signed in yet."""
    made = (
        Persona(name="owner", is_member=True, grants=BUILTIN_ROLES["admin"]),
        Persona(name="operator", is_member=True, grants=BUILTIN_ROLES["operator"]),
        Persona(name="viewer", is_member=True, grants=BUILTIN_ROLES["viewer"]),
        Persona(name="roleless", is_member=True),
        Persona(name="outsider"),
        Persona(name="homeless"),
        Persona(name="anonymous", is_anonymous=True),
        Persona(name="own-key", is_member=True, is_program=True, grants=BUILTIN_ROLES["admin"]),
        Persona(
            name="reading-key",
            is_member=True,
            is_program=True,
            grants=BUILTIN_ROLES["admin"],
            scopes=READ_ONLY,
        ),
        Persona(name="foreign-key", is_program=True),
    )
    return {persona.name: persona for persona in made}
