"""Many lists of matchers at once: only those that can match are looked at."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Generic, TypeVar

from apps.notifications.services.matchers import LabelMatcher, all_match

T = TypeVar("T")
_Entry = tuple[Sequence[LabelMatcher], T]


class MatcherIndex(Generic[T]):
    """Finds what was added with matchers that match some labels.

    A list with ``name="value"`` can only match labels with that pair, so it lies there; the rest
    is looked at always. The cost of a search grows with what is alike, not with what there is.
    """

    def __init__(self) -> None:
        self._by_pair: dict[tuple[str, str], list[_Entry[T]]] = defaultdict(list)
        self._others: list[_Entry[T]] = []

    def __bool__(self) -> bool:
        """Say whether anything was added."""
        return bool(self._by_pair or self._others)

    def add(self, matchers: Sequence[LabelMatcher], item: T) -> None:
        """Add something that belongs to labels all of ``matchers`` match."""
        pairs = [(each.name, each.value) for each in matchers if each.op == "=" and each.value]
        place = self._by_pair[pairs[0]] if pairs else self._others
        place.append((matchers, item))

    def find(self, labels: Mapping[str, str]) -> Iterator[T]:
        """Yield what belongs to ``labels``."""
        places = [self._by_pair.get(pair, ()) for pair in labels.items()] if self._by_pair else []
        for place in (*places, self._others):
            for matchers, item in place:
                if all_match(matchers, labels):
                    yield item
