"""What is remembered of a source between two bodies."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from detectviz.contracts.exposition.result import (
    Exemplar,
    FamilyMetadata,
    Float64Array,
    Int64Array,
)
from detectviz.contracts.exposition.series import METRIC_NAME, labels_of

LARGEST: Final = 500_000
# The labels of a series without those that tell the parts of one histogram or summary apart.
Group: TypeAlias = frozenset[tuple[str, str]]
_PARTS: Final = frozenset({METRIC_NAME, "le", "quantile"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    """A HELP, TYPE or UNIT line."""

    keyword: str
    family: str
    text: str


@dataclass(slots=True, kw_only=True)
class Layout:
    """The last body by lines: a next one usually has the same lines with other values.

    ``prefixes[i]`` is what line ``i`` must begin with for the rest of it to be a value alone, or
    something no line begins with; ``owners[i]`` is the number of its series, -1 without sample.
    ``mask`` tells the lines with a sample; ``series`` and ``places`` are those of the result.
    """

    body: bytes
    prefixes: list[bytes]
    owners: Int64Array
    values: Float64Array
    timestamps_ms: Int64Array
    exemplars: dict[int, tuple[Exemplar, ...]]
    comments: dict[int, Comment]
    mask: npt.NDArray[np.bool_]
    series: tuple[bytes, ...]
    places: Int64Array
    metadata: Mapping[str, FamilyMetadata]


class SeriesCache:
    """Known series of one source (a target, a sender), numbered; and its last layout.

    Not for several threads at once. Forgets everything when it knows more than ``largest``.
    """

    def __init__(self, *, largest: int = LARGEST) -> None:
        self.known: dict[bytes, int] = {}
        self.tokens: list[bytes] = []
        self.created: dict[int, str] = {}
        self.layouts: dict[str, Layout] = {}
        self._groups: dict[int, tuple[str, Group]] = {}
        self._largest = largest

    def __len__(self) -> int:
        return len(self.tokens)

    def number(self, token: bytes) -> int:
        """Return the number of a series, new ones checked; raise ExpositionError."""
        number = self.known.get(token)
        if number is None:
            name = labels_of(token).get(METRIC_NAME, "")
            number = self.known[token] = len(self.tokens)
            self.tokens.append(token)
            if name.endswith("_created"):
                self.created[number] = name.removesuffix("_created")
        return number

    def group(self, number: int) -> tuple[str, Group]:
        """Return the metric name of a series and what groups it with those of its histogram."""
        found = self._groups.get(number)
        if found is None:
            labels = labels_of(self.tokens[number])
            group = frozenset(pair for pair in labels.items() if pair[0] not in _PARTS)
            found = self._groups[number] = (labels.get(METRIC_NAME, ""), group)
        return found

    def trim(self) -> None:
        """Forget everything if it is too much."""
        if len(self.tokens) > self._largest:
            self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self.known.clear()
        self.tokens.clear()
        self.created.clear()
        self.layouts.clear()
        self._groups.clear()
