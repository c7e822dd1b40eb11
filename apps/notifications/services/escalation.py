"""What a higher app tells of escalation policies: routes name them, notifications know none."""

from collections.abc import Callable

_lookups: list[Callable[[int, str], bool]] = []


def policy_lookup_use(lookup: Callable[[int, str], bool]) -> None:
    """Have ``lookup(org_id, name)`` say which policies there are; called when apps are ready."""
    if lookup not in _lookups:
        _lookups.append(lookup)


def is_policy(org_id: int, name: str) -> bool:
    """Say whether an org has an escalation policy of this name."""
    return any(lookup(org_id, name) for lookup in _lookups)
