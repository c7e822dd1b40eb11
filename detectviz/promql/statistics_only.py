"""Which selectors need no more of native histograms than count and sum."""

from collections.abc import Iterator

from detectviz.promql import nodes
from detectviz.promql.signatures import TRIMS

_STATISTICS = frozenset({"histogram_avg", "histogram_count", "histogram_sum"})
_NEEDS_BUCKETS = frozenset({"histogram_fraction", "histogram_quantile", "histogram_quantiles"})


def statistics_selectors(expression: nodes.Expression) -> frozenset[int]:
    """Return the identities (``id``) of the selectors whose buckets nobody looks at.

    They stand below ``histogram_count``, ``_sum`` or ``_avg``, with nothing around that needs
    buckets or, as a subquery, other samples. Prometheus does the same, and remarks on
    conflicting restarts only then.
    """
    return frozenset(_found(expression, is_wanted=False))


def _found(node: nodes.Expression, *, is_wanted: bool) -> Iterator[int]:
    """Yield selectors below; ``is_wanted`` tells of a function of statistics above."""
    if isinstance(node, nodes.VectorSelector):
        if is_wanted:
            yield id(node)
        return
    if isinstance(node, nodes.Subquery) or _needs_buckets(node):
        return
    is_wanted |= isinstance(node, nodes.Call) and node.function in _STATISTICS
    for child in nodes.children(node):
        yield from _found(child, is_wanted=is_wanted)


def _needs_buckets(node: nodes.Expression) -> bool:
    is_trim = isinstance(node, nodes.Binary) and node.operator in TRIMS
    return is_trim or (isinstance(node, nodes.Call) and node.function in _NEEDS_BUCKETS)
