"""A timing wheel that sleeps: due items grouped in slots of 10 ms, no tick when nothing is due."""

from heapq import heappop, heappush
from math import ceil
from typing import Final, Generic, TypeVar

SLOT_S: Final = 0.01

Item = TypeVar("Item")


class TimingWheel(Generic[Item]):
    """Items by due time on some monotonic clock, seconds. Within a slot, first in first out.

    An item never comes out before it is due and at most one slot after.
    """

    __slots__ = ("_count", "_order", "_slots")

    def __init__(self) -> None:
        self._slots: dict[int, list[Item]] = {}
        self._order: list[int] = []
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, item: Item, due: float) -> None:
        """Put ``item`` into the slot that ends at or after ``due``."""
        number = ceil(due / SLOT_S)
        slot = self._slots.get(number)
        if slot is None:
            self._slots[number] = [item]
            heappush(self._order, number)
        else:
            slot.append(item)
        self._count += 1

    def next_due(self) -> float | None:
        """Return when the earliest slot is due, None when the wheel is empty."""
        return self._order[0] * SLOT_S if self._order else None

    def pop_due(self, now: float) -> list[Item]:
        """Take out everything due at ``now``, earliest first."""
        found: list[Item] = []
        while self._order and self._order[0] * SLOT_S <= now:
            found += self._slots.pop(heappop(self._order))
        self._count -= len(found)
        return found

    def clear(self) -> list[Item]:
        """Take out everything."""
        found = [item for number in sorted(self._order) for item in self._slots[number]]
        self._slots.clear()
        self._order.clear()
        self._count = 0
        return found
