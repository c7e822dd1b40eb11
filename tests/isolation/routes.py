"""Every route of the product, as Django's resolver knows it."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

_PARAMETER = r"<(?:[a-z]+:)?(\w+)>"
_REGEX = (
    r"\^?\(\?P(<\w+>)(?:[^()]|\([^()]*\))*\)/?\$?"  # Django admin still writes some patterns so
)


@dataclass(frozen=True, kw_only=True)
class Route:
    """One URL pattern. ``name`` is ``<namespace>:<name>``, or the pattern where it has none."""

    pattern: str
    name: str
    callback: Callable[..., Any]

    @property
    def parameters(self) -> list[str]:
        """The names of what the pattern takes."""
        return re.findall(_PARAMETER, self.pattern)

    @property
    def is_admin(self) -> bool:
        """Say whether Django admin made it."""
        return self.pattern.startswith("admin/")

    @property
    def view_class(self) -> Any:
        """The class behind a class-based view, else None."""
        return getattr(self.callback, "view_class", getattr(self.callback, "cls", None))

    def path(self, values: Mapping[str, object]) -> str:
        """Return an address; a missing value is a KeyError that names it."""
        return "/" + re.sub(_PARAMETER, lambda match: str(values[match[1]]), self.pattern)


def route_list() -> list[Route]:
    """Return all routes in the order in which they are tried."""
    return list(_walk(get_resolver(), "", ""))


def _walk(resolver: URLResolver, prefix: str, namespace: str) -> Iterator[Route]:
    for entry in resolver.url_patterns:
        pattern = prefix + re.sub(_REGEX, r"\1", str(entry.pattern))
        if isinstance(entry, URLPattern):
            name = f"{namespace}{entry.name}" if entry.name else pattern
            yield Route(pattern=pattern, name=name, callback=entry.callback)
        else:
            inner = f"{namespace}{entry.namespace}:" if entry.namespace else namespace
            yield from _walk(entry, pattern, inner)
