"""Prometheus' remarks about native histograms, at one place of a query."""

from enum import StrEnum

from detectviz.promql.annotations import AnnotationCollector
from detectviz.promql.positions import Span
from detectviz.promql.quoting import quote


class Operation(StrEnum):
    """What histograms were being combined by."""

    ADDITION = "addition"
    SUBTRACTION = "subtraction"
    AGGREGATION = "aggregation"


class NativeRemarks:
    """Adds remarks at ``span``; ``name`` is a metric's, empty if it has none."""

    def __init__(self, annotations: AnnotationCollector, span: Span) -> None:
        self._annotations = annotations
        self._span = span

    def _warn(self, message: str) -> None:
        self._annotations.warn(message, self._span)

    def _inform(self, message: str) -> None:
        self._annotations.inform(message, self._span)

    def mixed_range(self, name: str) -> None:
        """Say that a range has floats and histograms."""
        self._warn(f"encountered a mix of histograms and floats for metric name {quote(name)}")

    def mixed_group(self) -> None:
        """Say that a group has floats and histograms."""
        self._warn("encountered a mix of histograms and floats for aggregation")

    def mixed_schemas(self, name: str) -> None:
        """Say that exponential and custom buckets met."""
        self._warn(
            "vector contains a mix of histograms with exponential and custom buckets schemas "
            f"for metric name {quote(name)}"
        )

    def mixed_kinds(self, name: str) -> None:
        """Say that a classic and a native histogram have the same labels."""
        self._warn(f"vector contains a mix of classic and native histograms{_named(name)}")

    def not_counter(self, name: str) -> None:
        """Say that a counter's function got gauges."""
        self._warn(f"this native histogram metric is not a counter: {quote(name)}")

    def not_gauge(self, name: str) -> None:
        """Say that a gauge's function got counters."""
        self._warn(f"this native histogram metric is not a gauge: {quote(name)}")

    def reset_conflict(self, operation: Operation) -> None:
        """Say that some histograms tell of a restart and some of none."""
        self._warn(f"conflicting counter resets during histogram {operation}")

    def incompatible_layout(self, operator: str) -> None:
        """Say that an operator met exponential and custom buckets."""
        self._warn(f"incompatible bucket layout encountered for binary operator {operator}")

    def incompatible_types(self, left: str, operator: str, right: str) -> None:
        """Say that an operator doesn't know these kinds of samples."""
        self._inform(
            "incompatible sample types encountered for binary operator "
            f"{quote(operator)}: {left} {operator} {right}"
        )

    def ignored_in_group(self, operator: str) -> None:
        """Say that an aggregation looks at floats only."""
        self._inform(f"ignored histogram in {operator} aggregation")

    def ignored_in_range(self, name: str) -> None:
        """Say that a function looked at the floats of a range only."""
        self._inform(
            "ignored histograms in a range containing both floats and histograms "
            f"for metric name {quote(name)}"
        )

    def overlapping_starts(self, name: str) -> None:
        """Say that a sample counts from before the one before it."""
        self._warn(
            f"start timestamp overlaps with the previous sample for metric name {quote(name)}"
        )

    def reconciled(self, operation: Operation) -> None:
        """Say that custom bounds differed and were reduced to those in common."""
        self._inform(f"mismatched custom buckets were reconciled during {operation}")

    def estimated(self, note: str, name: str) -> None:
        """Say what observations of NaN did to an estimate."""
        self._inform(f"{note}{_named(name)}")


def _named(name: str) -> str:
    return f" for metric name {quote(name)}" if name else ""
