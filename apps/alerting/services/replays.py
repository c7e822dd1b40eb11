"""What an expression would have answered at each slot of the past, a slice of time at once."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from apps.alerting.services.queries import Answered, RuleElement, RuleQuerier
from detectviz.promql import nodes
from detectviz.promql.batches import parsed
from detectviz.promql.errors import (
    EvaluationError,
    QueryCancelledError,
    QueryTimeoutError,
    TooManySamplesError,
)
from detectviz.promql.results import Matrix
from detectviz.resources.errors import InvalidFieldsError

SLICE_STEPS = 500
MOST_INSTANTS = 5_000  # where only one query per slot gives the answer of the time
_OF_BOUNDS = frozenset({"start", "end", "range", "step"})


@dataclass(slots=True, kw_only=True)
class Replay:
    """Answers expressions over the past for one org, within a time of its own.

    Raise InvalidFieldsError, saying what to change, when it takes too long. What a query raises
    at one slot is that slot's answer.
    """

    querier: RuleQuerier
    timeout_s: float
    _started: float = 0.0
    _instants: int = 0

    def __post_init__(self) -> None:
        self._started = time.monotonic()

    def answers(
        self, text: str, *, start_ms: int, end_ms: int, step_ms: int
    ) -> Iterator[tuple[int, Answered]]:
        """Yield each time from start to end (inclusive) with what the expression answers then."""
        expression = parsed(text)
        for first_ms in range(start_ms, end_ms + 1, SLICE_STEPS * step_ms):
            last_ms = min(end_ms, first_ms + (SLICE_STEPS - 1) * step_ms)
            times = list(range(first_ms, last_ms + 1, step_ms))
            if _depends_on_bounds(expression):
                yield from self._one_by_one(expression, times)
            else:
                yield from self._slice(expression, times, step_ms)

    def check(self) -> None:
        """Raise InvalidFieldsError when the time is up."""
        if time.monotonic() - self._started > self.timeout_s:
            message = (
                f"This took longer than {self.timeout_s:g} s. Choose a shorter range or a longer "
                "interval."
            )
            raise InvalidFieldsError({"range": [message]})

    def _slice(
        self, expression: nodes.Expression, times: list[int], step_ms: int
    ) -> Iterator[tuple[int, Answered]]:
        self.check()
        engine, tenant = self.querier.engine, self.querier.tenant
        try:
            found = engine.range(tenant, expression, times[0], times[-1], step_ms).value
        except (QueryTimeoutError, QueryCancelledError) as error:
            yield from ((at_ms, error) for at_ms in times)
        except TooManySamplesError as error:
            if len(times) == 1:
                yield times[0], error
                return
            middle = len(times) // 2
            yield from self._slice(expression, times[:middle], step_ms)
            yield from self._slice(expression, times[middle:], step_ms)
        except EvaluationError:  # at one of the times, at least
            yield from self._one_by_one(expression, times)
        else:
            assert isinstance(found, Matrix)
            yield from _steps(found)

    def _one_by_one(
        self, expression: nodes.Expression, times: list[int]
    ) -> Iterator[tuple[int, Answered]]:
        self._instants += len(times)
        if self._instants > MOST_INSTANTS:
            message = (
                f"This expression has to be evaluated slot by slot, at most {MOST_INSTANTS:,} "
                "times. Choose a shorter range or a longer interval."
            )
            raise InvalidFieldsError({"range": [message]})
        for at_ms in times:
            self.check()
            yield at_ms, self.querier.answered(expression, at_ms)


def _steps(matrix: Matrix) -> Iterator[tuple[int, Answered]]:
    alive = np.asarray(matrix.present.any(axis=0))
    for step, at_ms in enumerate(matrix.timestamps_ms.tolist()):
        yield at_ms, _elements_at(matrix, step) if alive[step] else ()


def _elements_at(matrix: Matrix, step: int) -> list[RuleElement]:
    histograms = matrix.histograms
    return [
        (
            matrix.labels[row],
            float(matrix.values[row, step]),
            None if histograms is None else histograms[row, step],
        )
        for row in np.flatnonzero(matrix.present[:, step]).tolist()
    ]


def _depends_on_bounds(expression: nodes.Expression) -> bool:
    """Tell whether a range query means something else than a query at each of its steps."""
    for node in nodes.walk(expression):
        if isinstance(node, nodes.Call) and node.function in _OF_BOUNDS:
            return True
        if isinstance(getattr(node, "at", None), nodes.Anchor):
            return True
        if any(
            getattr(node, name, None) is not None
            for name in ("range_expression", "offset_expression", "step_expression")
        ):
            return True
    return False
