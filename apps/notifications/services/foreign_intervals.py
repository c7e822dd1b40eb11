"""Time intervals of other programs' files: what an empty list means there and here."""

from collections.abc import Iterable, Mapping
from typing import Any

from apps.notifications.services.time_intervals import FIELDS
from detectviz.resources.losses import Losses

_WHY = "an empty list contains no time there; here it restricts nothing, as if it were left out"
_CURE = "Say which times are meant, or take the interval out."


def empty_lists_lose(written: object, path: str, losses: Losses) -> None:
    """Report the fields of intervals, as they are written at ``path``, that are empty lists."""
    intervals: Iterable[Any] = written if isinstance(written, list) else ()
    for index, each in enumerate(intervals):
        fields = FIELDS if isinstance(each, Mapping) else ()
        for name in (name for name in fields if each.get(name) == []):
            losses.add(f"{path}[{index}].{name}", _WHY, _CURE)
