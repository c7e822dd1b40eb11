"""Many instant queries of one moment, answered together where their shapes allow it."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol, TypeAlias

from detectviz.promql import nodes
from detectviz.promql.errors import (
    EvaluationError,
    PromqlError,
    QueryCancelledError,
    QueryTimeoutError,
)
from detectviz.promql.fusing import BatchPlan, FusedShape, UnfusableError, grouped_by_shape
from detectviz.promql.parser import parse
from detectviz.promql.results import Result
from detectviz.promql.selectors import Reads
from detectviz.promql.shared_reads import SharedReads
from detectviz.tsdb.interface import Matcher, SelectHints, SeriesSet, StoreError

logger = logging.getLogger(__name__)

Outcome: TypeAlias = Result | Exception  # what ``instant`` returns or raises
_MOST_TEXTS = 20_000
_RESTS_AFTER_FAILURE = 20
_RESTS_AFTER_REFUSAL = 200


class Runner(Protocol):
    """Evaluates one query, or the members of one shape, over given reads."""

    def alone(self, text: str, expression: nodes.Expression, reads: Reads) -> Result:
        """Return what ``Engine.instant`` would."""

    def together(self, shape: FusedShape, texts: Sequence[str], reads: Reads) -> list[Result]:
        """Return a result per member; an error may be any member's. Raise UnfusableError too."""


@lru_cache(maxsize=_MOST_TEXTS)
def parsed(text: str) -> nodes.Expression:
    """Parse a text once; nodes are immutable and shared. Raise ParseError."""
    return parse(text)


def batch_plan(texts: Sequence[str]) -> BatchPlan:
    """Parse expressions and find what has one shape; a text that is refused keeps its error."""
    expressions: list[nodes.Expression | None] = []
    refused: dict[int, Exception] = {}
    for place, text in enumerate(texts):
        try:
            expressions.append(parsed(text))
        except PromqlError as error:
            expressions.append(None)
            refused[place] = error
    known = [(place, one) for place, one in enumerate(expressions) if one is not None]
    shapes, single = grouped_by_shape(known)
    return BatchPlan(
        texts=tuple(texts),
        expressions=tuple(expressions),
        refused=refused,
        shapes=shapes,
        single=single,
    )


@dataclass(frozen=True, slots=True)
class FloatReads:
    """Reads that refuse native histograms: fused queries know floats only."""

    reads: SharedReads

    def select(
        self, matchers: tuple[Matcher, ...], start_ms: int, end_ms: int, hints: SelectHints
    ) -> SeriesSet:
        """Return what the store's ``select`` would; UnfusableError if a sample is a histogram."""
        found = self.reads.select(matchers, start_ms, end_ms, hints)
        if found.histograms is not None:
            raise UnfusableError("native histograms")
        return found


def run_batch(
    plan: BatchPlan, runner: Runner, reads: SharedReads, *, at_ms: int, lookback_ms: int
) -> list[Outcome]:
    """Answer every expression of a plan at one time; one that fails does not touch the others."""
    outcomes: list[Outcome | None] = [None] * len(plan)
    for place, error in plan.refused.items():
        outcomes[place] = error
    alone = [*plan.single]
    for shape in plan.shapes:
        for part, found in _shape_outcomes(shape, plan, runner, FloatReads(reads)):
            if found is None:
                alone += part.owners
            else:
                for owner, result in zip(part.owners, found, strict=True):
                    outcomes[owner] = result
    for place in alone:
        reads.expect(_expression(plan, place), at_ms, lookback_ms)
    for place in sorted(alone):
        outcomes[place] = _alone(plan, place, runner, reads)
    assert all(outcome is not None for outcome in outcomes)
    return [outcome for outcome in outcomes if outcome is not None]


def _shape_outcomes(
    shape: FusedShape, plan: BatchPlan, runner: Runner, reads: FloatReads
) -> Iterator[tuple[FusedShape, list[Result] | None]]:
    """Evaluate a shape; halve it around members that fail. None: evaluate those alone."""
    if len(shape) == 1:
        yield shape, None
        return
    if not shape.is_resting():
        try:
            found = runner.together(shape, [plan.texts[one] for one in shape.owners], reads)
        except (UnfusableError, QueryTimeoutError, QueryCancelledError, StoreError) as error:
            if isinstance(error, UnfusableError):
                shape.refuse(_RESTS_AFTER_REFUSAL)
            yield shape, None
            return
        except EvaluationError:
            shape.rest(_RESTS_AFTER_FAILURE)
        except Exception:
            logger.exception("queries of one shape failed together; they are answered alone")
            yield shape, None
            return
        else:
            yield shape, found
            return
    elif shape.is_refused:
        yield shape, None
        return
    for half in shape.halves():
        yield from _shape_outcomes(half, plan, runner, reads)


def _alone(plan: BatchPlan, place: int, runner: Runner, reads: SharedReads) -> Outcome:
    try:
        return runner.alone(plan.texts[place], _expression(plan, place), reads)
    except Exception as error:  # noqa: BLE001 - it is this query's answer, for the caller to judge
        return error


def _expression(plan: BatchPlan, place: int) -> nodes.Expression:
    expression = plan.expressions[place]
    assert expression is not None
    return expression
