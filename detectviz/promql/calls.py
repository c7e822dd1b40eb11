"""A function call whose arguments have been evaluated."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from detectviz.promql import nodes
from detectviz.promql.annotations import AnnotationCollector
from detectviz.promql.vectors import RangeVector, StepScalar, StepString, StepVector, Value
from detectviz.tsdb.interface import Float64Array, Int64Array


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryBounds:
    """The whole query's start, end and step in milliseconds; an instant query has step 0."""

    start_ms: int
    end_ms: int
    step_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionCall:
    """What an implementation needs; ``times_ms`` is int64[steps].

    ``check`` stops a query that must stop; ``charge`` takes samples off its budget.
    """

    node: nodes.Call
    arguments: tuple[Value, ...]
    times_ms: Int64Array
    annotations: AnnotationCollector
    check: Callable[[], None]
    charge: Callable[[int], None]
    bounds: QueryBounds

    def vector(self, index: int) -> StepVector:
        """Return an argument that the type check made an instant vector."""
        value = self.arguments[index]
        assert isinstance(value, StepVector)
        return value

    def scalar(self, index: int) -> Float64Array:
        """Return a scalar argument: float64[steps]."""
        value = self.arguments[index]
        assert isinstance(value, StepScalar)
        return value.values

    def string(self, index: int) -> str:
        """Return a string argument."""
        value = self.arguments[index]
        assert isinstance(value, StepString)
        return value.value

    def ranges(self, index: int) -> RangeVector:
        """Return a range-vector argument."""
        value = self.arguments[index]
        assert isinstance(value, RangeVector)
        return value


Implementation: TypeAlias = Callable[[FunctionCall], Value]
