"""Kubernetes' label selectors: ``team=web,tier in (a,b),!legacy,env!=test``."""

import re
from dataclasses import dataclass
from typing import Literal

from detectviz.resources.errors import InvalidFieldsError

_KEY = r"(?P<key>[A-Za-z0-9_][A-Za-z0-9_./-]{0,127})"
_TERM = re.compile(  # noqa: TID251 - our own constant
    rf"\s*(?:!\s*(?P<absent>{_KEY[8:-1]})"
    rf"|{_KEY}\s*(?:(?P<set>in|notin)\s*\((?P<values>[^()]*)\)"
    r"|(?P<op>==|=|!=)\s*(?P<value>[^,()\s]*))?)\s*(?:,|$)"
)


@dataclass(frozen=True, slots=True)
class Requirement:
    """One term: ``key`` must (not) exist or (not) be one of ``values``."""

    key: str
    op: Literal["exists", "absent", "in", "notin"]
    values: tuple[str, ...] = ()


def parse_label_selector(text: str) -> list[Requirement]:
    """Return the AND-ed terms; raise InvalidFieldsError naming the part not understood."""
    requirements: list[Requirement] = []
    position = 0
    while position < len(text):
        match = _TERM.match(text, position)
        if match is None or match.end() == position:
            raise InvalidFieldsError(
                {
                    "label_selector": [
                        f"Not understood from {text[position:]!r}: write team=web,tier in (a,b),!x."
                    ]
                }
            )
        requirements.append(_requirement(match))
        position = match.end()
    return requirements


def _requirement(match: re.Match[str]) -> Requirement:
    if match["absent"]:
        return Requirement(match["absent"], "absent")
    if match["set"]:
        values = tuple(value.strip() for value in match["values"].split(","))
        return Requirement(match["key"], "in" if match["set"] == "in" else "notin", values)
    if match["op"]:
        return Requirement(
            match["key"], "notin" if match["op"] == "!=" else "in", (match["value"],)
        )
    return Requirement(match["key"], "exists")
