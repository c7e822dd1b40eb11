"""The header ``Link``: RFC 8288."""

from typing import Final

_SPLIT: Final = ","


def next_link(header: str) -> str:
    """Return the target of the link whose relation is ``next``, empty without one."""
    rest = header
    while "<" in rest:
        target, _, rest = rest.partition("<")[2].partition(">")
        parameters, _, following = rest.partition("<")
        for parameter in parameters.split(";"):
            name, _, value = parameter.strip().rstrip(_SPLIT).partition("=")
            words = value.strip().rstrip(_SPLIT).strip('"').split()
            if name.strip().lower() == "rel" and "next" in (word.lower() for word in words):
                return target.strip()
        rest = f"<{following}" if following else ""
    return ""
