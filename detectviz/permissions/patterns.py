"""Permission patterns: ``monitors:read``, ``monitors:*``, ``*:read``, ``*:*``."""

from collections.abc import Iterable

from detectviz.permissions.table import ALL_PERMISSIONS, PLATFORM_PERMISSIONS, RESOURCES

ACTIONS = frozenset(action for actions in RESOURCES.values() for action in actions)


def pattern_problem(pattern: str) -> str | None:
    """Return what is wrong with a pattern, or None."""
    resource, separator, action = pattern.partition(":")
    if not separator:
        return f"{pattern!r}: write <resource>:<action>, for example monitors:read or monitors:*."
    if resource != "*" and resource not in RESOURCES:
        return f"{resource!r} is no resource; there are {', '.join(sorted(RESOURCES))}."
    offered = ACTIONS if resource == "*" else frozenset(RESOURCES[resource])
    if action != "*" and action not in offered:
        return f"{action!r} is no action of {resource}; there are {', '.join(sorted(offered))}."
    return None


def permissions_of(patterns: Iterable[str]) -> frozenset[str]:
    """Return every permission of the table that one of the patterns grants."""
    granted = PermissionSet(patterns)
    return frozenset(permission for permission in ALL_PERMISSIONS if granted.allows(permission))


class PermissionSet:
    """A set of patterns; asking it takes constant time. Platform permissions are never in it."""

    __slots__ = ("_patterns",)

    def __init__(self, patterns: Iterable[str] = ()) -> None:
        self._patterns = frozenset(patterns)

    @property
    def patterns(self) -> frozenset[str]:
        """The patterns as given."""
        return self._patterns

    def allows(self, permission: str) -> bool:
        """Tell whether a pattern grants ``permission``."""
        if permission in PLATFORM_PERMISSIONS:
            return False
        resource, _, action = permission.partition(":")
        return not self._patterns.isdisjoint((permission, f"{resource}:*", f"*:{action}", "*:*"))

    def __or__(self, other: "PermissionSet") -> "PermissionSet":
        """Return the union."""
        return PermissionSet(self._patterns | other.patterns)

    def __eq__(self, other: object) -> bool:
        """Compare patterns."""
        return isinstance(other, PermissionSet) and self._patterns == other.patterns

    def __hash__(self) -> int:
        """Hash the patterns."""
        return hash(self._patterns)

    def __bool__(self) -> bool:
        """Tell whether anything is granted."""
        return bool(self._patterns)

    def __repr__(self) -> str:
        """Show the patterns."""
        return f"PermissionSet({sorted(self._patterns)})"


NOTHING = PermissionSet()
