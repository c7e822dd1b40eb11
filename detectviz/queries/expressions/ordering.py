"""Which expression comes after which."""

from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter

from detectviz.queries.errors import ExpressionError


def ordered(needs: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Return ref ids so that each comes after what it needs; raise naming the cycle."""
    try:
        return list(TopologicalSorter(needs).static_order())
    except CycleError as error:
        cycle = list(reversed(error.args[1]))
        raise ExpressionError(f"expressions refer to each other: {' -> '.join(cycle)}") from None
