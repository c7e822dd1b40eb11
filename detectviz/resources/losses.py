"""What a configuration can't carry over, and the names it has to change."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from detectviz.resources.formats import Loss

_UNFIT = re.compile(r"[^a-z0-9]+")  # noqa: TID251 - our own constant
LONGEST_NAME = 63


@dataclass(slots=True)
class Losses:
    """Gathers what is lost, in the order of the file."""

    found: list[Loss] = field(default_factory=list)

    def add(self, path: str, why: str, cure: str = "") -> None:
        """Say that the field at ``path`` is not carried over, why, and what to do about it."""
        self.found.append(Loss(path=path, why=why, cure=cure))

    def add_rest(
        self, mapping: Mapping[str, object], known: Mapping[str, str], path: str, why: str
    ) -> None:
        """Lose every field of ``mapping``, with the reason in ``known`` or ``why``."""
        for name in mapping:
            self.add(f"{path}.{name}" if path else name, known.get(name, why))


@dataclass(slots=True)
class Names:
    """Gives everything a DNS-1123 name of its own: ``Web Hook`` → ``web-hook``."""

    _given: dict[str, str] = field(default_factory=dict)

    def of(self, text: str) -> str:
        """Return the name that stands for ``text``, the same each time."""
        if text not in self._given:
            taken = set(self._given.values())
            base = _UNFIT.sub("-", text.lower()).strip("-")[:LONGEST_NAME].strip("-") or "unnamed"
            self._given[text] = next(name for name in _numbered(base) if name not in taken)
        return self._given[text]


def _numbered(base: str) -> Iterator[str]:
    yield base
    number = 2
    while True:
        suffix = f"-{number}"
        yield base[: LONGEST_NAME - len(suffix)].rstrip("-") + suffix
        number += 1
