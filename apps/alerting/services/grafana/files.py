"""The frame of Grafana's alerting files: its sections, and what of them can't be carried over.

Source: "Use configuration files to provision alerting resources" of Grafana's documentation.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from detectviz.resources.errors import InvalidFieldsError
from detectviz.resources.losses import Losses

API_VERSION: Final = 1
SECTIONS: Final = ("groups", "contactPoints", "policies", "muteTimes", "templates")
_DELETIONS: Final = {
    "deleteRules": "uid",
    "deleteContactPoints": "uid",
    "deletePolicies": "",
    "resetPolicies": "",
    "deleteMuteTimes": "name",
    "deleteTemplates": "name",
}
_KNOWN: Final = {"apiVersion", *SECTIONS, *_DELETIONS}
_KEEP: Final = "An import never deletes."
_VARIABLE: Final = re.compile(  # noqa: TID251 - our own constant
    r"\$__(?:env|file|vault)\{[^{}]*\}|\$\{\w+\}|(?<!\$)\$[A-Z][A-Z0-9_]+\b"
)
REDACTED: Final = "[REDACTED]"


def is_alerting_file(document: Mapping[str, Any]) -> bool:
    """Say whether a document is one of Grafana's for alerting."""
    return (
        document.get("apiVersion") in {API_VERSION, str(API_VERSION)}
        and not document.keys() - _KNOWN
        and len(document) > 1
    )


def items_of(document: Mapping[str, Any], section: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Return the entries of a section with their paths; raise InvalidFieldsError."""
    yield from mappings_at(document.get(section), section)


def mappings_at(value: object, path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Return the mappings of a list with their paths; raise InvalidFieldsError."""
    if value is None:
        return
    if not isinstance(value, list):
        raise InvalidFieldsError({path: ["Must be a list."]})
    for index, each in enumerate(value):
        place = f"{path}[{index}]"
        if not isinstance(each, Mapping):
            raise InvalidFieldsError({place: ["Must be a mapping."]})
        yield place, each


def lose_deletions(document: Mapping[str, Any], losses: Losses) -> None:
    """Say of every entry that would delete something that nothing is deleted."""
    for section, key in _DELETIONS.items():
        entries = document.get(section)
        for index, entry in enumerate(entries if isinstance(entries, list) else ()):
            named = entry.get(key) if isinstance(entry, Mapping) else None
            what = f"{named!r} is kept" if named else "nothing is deleted or reset"
            losses.add(f"{section}[{index}]", what, f"{_KEEP} Delete it on its page.")


def lose_orgs(document: Mapping[str, Any], losses: Losses) -> None:
    """Say of entries for another org than the first one that all goes into one."""
    seen: list[object] = []
    for section in SECTIONS:
        for path, entry in items_of(document, section):
            org = entry.get("orgId", entry.get("orgID", 1))
            seen.append(org)
            if org != seen[0]:
                losses.add(
                    f"{path}.orgId",
                    f"it goes into the same org as the entries of {seen[0]}",
                    "Split the file by orgId and import each part into its own org.",
                )


def is_variable(value: object) -> bool:
    """Say whether a value has to come from the environment or files of a Grafana."""
    return isinstance(value, str) and _VARIABLE.search(value) is not None
