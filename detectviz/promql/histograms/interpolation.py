"""Histograms between two samples."""

from dataclasses import dataclass

from detectviz.promql.histograms.arithmetic import scaled, subtracted, total
from detectviz.promql.histograms.resets import is_reset
from detectviz.tsdb.histograms import Histogram


@dataclass(frozen=True, slots=True, kw_only=True)
class Between:
    """A histogram on the line between two, and which steps reduced their custom bounds."""

    histogram: Histogram
    is_subtraction_reconciled: bool = False
    is_addition_reconciled: bool = False


def between(older: Histogram, newer: Histogram, fraction: float, *, is_counter: bool) -> Between:
    """Return ``older + (newer - older) * fraction``; a restarted counter rises from zero.

    Raise IncompatibleSchemasError when exponential and custom buckets meet. Semantics of
    Prometheus' ``interpolateHistograms``.
    """
    if fraction == 0:
        return Between(histogram=older)
    if fraction == 1:
        return Between(histogram=newer)
    if is_counter and is_reset(newer, older):
        return Between(histogram=scaled(newer, fraction))
    difference = subtracted(newer, older)
    found = total((scaled(difference.histogram, fraction), older))
    return Between(
        histogram=found.histogram,
        is_subtraction_reconciled=difference.is_reconciled,
        is_addition_reconciled=found.is_reconciled,
    )
