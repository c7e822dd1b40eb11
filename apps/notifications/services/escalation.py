"""What a higher app tells of escalation policies: routes name them, notifications know none."""

from collections.abc import Callable, Mapping

PolicyTitles = Callable[[int], Mapping[str, str]]
_sources: list[PolicyTitles] = []


def policy_source_use(source: PolicyTitles) -> None:
    """Have ``source(org_id)`` tell the policies of an org by name; called when apps are ready."""
    if source not in _sources:
        _sources.append(source)


def policy_titles(org_id: int) -> dict[str, str]:
    """Return what people call the escalation policies of an org, by name."""
    return {name: title for source in _sources for name, title in source(org_id).items()}
