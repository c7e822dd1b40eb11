"""What a higher app tells of escalation policies: routes name them, notifications know none."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

PolicyTitles = Callable[[int], Mapping[str, str]]
PoliciesTelling = Callable[[int, str], Mapping[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySource:
    """Who knows policies: ``titles(org_id)`` by name, and ``telling(org_id, contact_point)``."""

    titles: PolicyTitles
    telling: PoliciesTelling


_sources: list[PolicySource] = []


def policy_source_use(source: PolicySource) -> None:
    """Have ``source`` tell of the policies of an org; called when apps are ready."""
    if source not in _sources:
        _sources.append(source)


def policy_titles(org_id: int) -> dict[str, str]:
    """Return what people call the escalation policies of an org, by name."""
    return {name: title for each in _sources for name, title in each.titles(org_id).items()}


def policies_telling(*, org_id: int, contact_point: str) -> dict[str, str]:
    """Return the policies with a step that tells a contact point, as name and title."""
    return {
        name: title
        for each in _sources
        for name, title in each.telling(org_id, contact_point).items()
    }
