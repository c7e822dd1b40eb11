"""PromQL as rules need it: one instant, a flat list of elements, nothing else."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from detectviz.promql import nodes
from detectviz.promql.batches import Outcome
from detectviz.promql.engine import Engine
from detectviz.promql.errors import EvaluationError, PromqlError
from detectviz.promql.fusing import BatchPlan
from detectviz.promql.push_down import push_down_instant
from detectviz.promql.results import Matrix, Result, Scalar, Vector
from detectviz.promql.windows import is_stale
from detectviz.tsdb.histograms import Histogram
from detectviz.tsdb.interface import METRIC_NAME, Matcher, MatchOp, SeriesStore, StoreError

SAMPLES_PER_QUERY = 5_000_000
QUERY_TIMEOUT_S = 10.0
_COMPARISONS = frozenset({"==", "!=", ">", "<", ">=", "<="})
_LEFT_DECIDES = frozenset({"and", "unless"})
_ABSENCE = frozenset({"absent", "absent_over_time"})

VectorElement: TypeAlias = tuple[Mapping[str, str], float]
RuleElement: TypeAlias = tuple[Mapping[str, str], float, Histogram | None]
Answered: TypeAlias = Sequence[RuleElement] | Exception


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleQuerier:
    """Answers the queries of one org's rules over one store."""

    engine: Engine
    tenant: str
    is_pushed_down: bool = False  # to the engine of the store's backend, whose semantics differ

    @property
    def store(self) -> SeriesStore:
        """The store behind the engine, where rules write their series."""
        return self.engine.store

    def vector(self, query: str | nodes.Expression, at_ms: int) -> list[VectorElement]:
        """Return the elements at one time; a scalar is one element without labels.

        Raise PromqlError or StoreError.
        """
        answer = self._instant(query, at_ms).value
        if isinstance(answer, Scalar):
            return [({}, answer.value)]
        if not isinstance(answer, Vector):
            raise EvaluationError("rule result is not a vector or scalar")
        return list(zip(answer.labels, answer.values.tolist(), strict=True))

    def batch(self, plan: BatchPlan, at_ms: int) -> list[Answered]:
        """Return the elements of many expressions at one time; an error where one has none.

        A range of samples counts as its series, so that one can ask whether there are any.
        """
        if self.is_pushed_down:
            return [self.answered(text, at_ms) for text in plan.texts]
        outcomes = self.engine.batch(self.tenant, plan, at_ms)
        distinct = {id(one): one for one in outcomes}  # all that are empty share one
        elements = {key: _elements(one) for key, one in distinct.items()}
        return [elements[id(one)] for one in outcomes]

    def answered(self, query: str | nodes.Expression, at_ms: int) -> Answered:
        """Return the elements of one expression at one time, or what is raised."""
        try:
            return _elements(self._instant(query, at_ms))
        except (PromqlError, StoreError) as error:
            return error

    def _instant(self, query: str | nodes.Expression, at_ms: int) -> Result:
        if self.is_pushed_down:
            timeout_s = self.engine.timeout_s
            return push_down_instant(self.store, self.tenant, query, at_ms, timeout_s=timeout_s)
        return self.engine.instant(self.tenant, query, at_ms)

    def series_at(self, names: Collection[str], at_ms: int) -> list[dict[str, str]]:
        """Return the label sets of metrics with a value (no stale marker) at exactly one time."""
        pattern = "|".join(sorted(names))  # of letters, digits, colons and underscores
        matchers = [Matcher(METRIC_NAME, MatchOp.REGEX, pattern)]
        found = self.store.select(self.tenant, matchers, at_ms, at_ms)
        stale = is_stale(found.values)
        return [dict(one) for one, gone in zip(found.labels, stale, strict=True) if not gone]


def _elements(outcome: Outcome) -> Answered:
    if isinstance(outcome, Exception):
        return outcome
    answer = outcome.value
    match answer:
        case Vector() | Matrix() if not len(answer):
            return ()
        case Vector():
            histograms = answer.histograms
            values = answer.values.tolist()
            held = [None] * len(values) if histograms is None else histograms.tolist()
            return list(zip(answer.labels, values, held, strict=True))
        case Matrix():
            return [(labels, float("nan"), None) for labels in answer.labels]
        case Scalar():
            return [({}, answer.value, None)]
        case _:
            return EvaluationError("rule result is not a vector or scalar")


def rule_querier(
    store: SeriesStore, tenant: str, *, timeout_s: float = QUERY_TIMEOUT_S
) -> RuleQuerier:
    """Return a querier with the limits of rule queries."""
    engine = Engine(store, max_samples=SAMPLES_PER_QUERY, timeout_s=timeout_s)
    return RuleQuerier(engine=engine, tenant=tenant)


def data_sources(expression: nodes.Expression) -> Sequence[nodes.Expression]:
    """Return the parts of an expression whose emptiness means that data are missing.

    Comparisons are undone (both sides count), ``and`` and ``unless`` are judged by their left
    side, ``or`` by both, ``absent(x)`` by ``x``.
    """
    node = nodes.unwrap(expression)
    if isinstance(node, nodes.Binary):
        if node.operator in _LEFT_DECIDES:
            return data_sources(node.left)
        if node.operator == "or" or (node.operator in _COMPARISONS and not node.is_bool):
            return [*data_sources(node.left), *data_sources(node.right)]
    if isinstance(node, nodes.Call) and node.function in _ABSENCE:
        return data_sources(node.arguments[0])
    return [node]
