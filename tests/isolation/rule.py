"""A route's row in the matrix, and what follows from it for each persona."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.isolation.personas import Persona
from tests.isolation.routes import Route

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
DONE = frozenset({200, 201, 204, 302, 400, 409, 422})  # let in, whatever it then thought of it
MEMBER = ""  # in the place of a permission: every member may

Door = Literal["kind", "rest", "page", "discovery", "other"]


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A route's row: per method the permissions it takes; a method that is missing answers 405.

    ``values`` says which of the org's values stands in a URL parameter (``=text`` is that text, and
    nobody's), ``bodies`` what is sent, ``statuses`` the answers of a door that has its own idea of
    who may enter. Behind a secret door the address itself is the credential.
    """

    door: Door
    methods: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)
    bodies: Mapping[str, Any] = field(default_factory=dict)
    allowed: frozenset[int] = DONE
    statuses: frozenset[int] = frozenset()
    is_secret_door: bool = False

    def expected(self, persona: Persona, method: str) -> frozenset[int]:
        """Return the answers that are right."""
        if self.door == "page":
            return self._page(persona, method)
        if self.door == "other":
            return self.statuses
        if persona.is_anonymous:
            return frozenset({401})
        if self.door == "discovery":
            return frozenset({200, 405})
        return self._rest(persona, method)

    def parameters(self, route: Route, values: Mapping[str, object]) -> dict[str, object]:
        """Return what stands in the route's address for an org with these values."""
        return {name: self._value(name, values) for name in route.parameters}

    def _value(self, name: str, values: Mapping[str, object]) -> object:
        source = self.values.get(name, name)
        return source[1:] if source.startswith("=") else values.get(source, "1")

    def _rest(self, persona: Persona, method: str) -> frozenset[int]:
        if self.door == "rest" and method not in self.methods:  # told before the org is looked for
            return frozenset({200 if method == "OPTIONS" else 405})
        if not persona.is_member:
            return frozenset({404})
        return self._member(persona, method)

    def _page(self, persona: Persona, method: str) -> frozenset[int]:
        if method not in self.methods:
            return frozenset({405})
        if persona.is_anonymous or persona.is_program:
            return frozenset({302})
        if not persona.is_member:
            return frozenset({404})
        return self._member(persona, method)

    def _member(self, persona: Persona, method: str) -> frozenset[int]:
        if method not in self.methods:
            return frozenset({405})
        needed = filter(None, self.methods[method])
        if all(persona.holds(permission) for permission in needed):
            return self.allowed
        return frozenset({403})
