"""Which rules of a group can be asked together without changing what they see.

Rules run in order and each sees what those before it wrote. A rule that reads no output of the
rules before it since the last write may as well be asked together with them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from apps.alerting.enums import NoDataPolicy, RuleKind
from apps.alerting.services.plans import RulePlan
from apps.alerting.services.queries import data_sources
from apps.alerting.services.state_series import ALERTS, ALERTS_FOR_STATE
from detectviz.promql import nodes
from detectviz.promql.batches import batch_plan, parsed
from detectviz.promql.errors import PromqlError
from detectviz.promql.formatting import format_expression
from detectviz.promql.fusing import BatchPlan
from detectviz.promql.nodes import ValueType
from detectviz.promql.patterns import matches
from detectviz.promql.type_check import result_type
from detectviz.tsdb.interface import METRIC_NAME, Matcher

_OWN_OUTPUTS = frozenset({ALERTS, ALERTS_FOR_STATE})


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleBatch:
    """Consecutive rules asked together; ``places`` are theirs in the group.

    ``queries`` are their expressions in order. ``sources`` are what the rules that watch for
    missing data or missing series read, and ``watched`` which of these belong to which place.
    ``recoveries`` are recovery expressions, ``recovered_by`` which is whose. A rule that asks
    datasources stands alone and has none of these.
    """

    places: tuple[int, ...]
    queries: BatchPlan
    sources: BatchPlan
    watched: dict[int, tuple[int, ...]]
    recoveries: BatchPlan
    recovered_by: dict[int, int]
    asks_datasources: bool = False


def rule_batches(rules: Sequence[RulePlan]) -> tuple[RuleBatch, ...]:
    """Split the rules of a group, in order, into batches as long as can be."""
    return tuple(_batch(rules, places) for places in _places(rules))


def _places(rules: Sequence[RulePlan]) -> Iterator[tuple[int, ...]]:
    places: list[int] = []
    written: set[str] = set()
    for place, rule in enumerate(rules):
        if rule.queries:
            if places:
                yield tuple(places)
            yield (place,)
            places, written = [], set()
            continue
        if places and (_asks_in_templates(rule) or _may_read(rule, written)):
            yield tuple(places)
            places, written = [], set()
        places.append(place)
        written |= _OWN_OUTPUTS if rule.kind is RuleKind.ALERTING else {rule.name}
    if places:
        yield tuple(places)


def _asks_in_templates(rule: RulePlan) -> bool:
    """Tell whether a template may query, and so must see everything written before."""
    texts = [*rule.labels.values(), *rule.annotations.values()]
    return any("{{" in text and "query" in text for text in texts)


def _may_read(rule: RulePlan, written: set[str]) -> bool:
    texts = [rule.expr, rule.recovery_expr] if rule.recovery_expr else [rule.expr]
    return any(_reads(text, written) for text in texts)


def _reads(text: str, written: set[str]) -> bool:
    try:
        expression = parsed(text)
    except PromqlError:
        return False
    return any(
        all(matches(matcher, name) for matcher in selector)
        for selector in {_of_name(node) for node in nodes.walk(expression) if _selects(node)}
        for name in written
    )


def _selects(node: nodes.Expression) -> bool:
    is_info = isinstance(node, nodes.Call) and node.function == "info"
    return is_info or isinstance(node, nodes.VectorSelector)


def _of_name(node: nodes.Expression) -> tuple[Matcher, ...]:
    """Return what a selector asks of the metric name; ``info`` may read any."""
    if not isinstance(node, nodes.VectorSelector):
        return ()
    return tuple(matcher for matcher in node.matchers if matcher.name == METRIC_NAME)


def data_source_texts(expression: nodes.Expression) -> list[str]:
    """Return what has to have a value somewhere, or data are missing: no constants."""
    return [
        format_expression(source)
        for source in data_sources(expression)
        if result_type(source) is not ValueType.SCALAR
    ]


def watches_sources(rule: RulePlan) -> bool:
    """Tell whether a PromQL rule wants to know what its expression reads."""
    return rule.no_data is not NoDataPolicy.OK or rule.missing_evaluations > 0


def _batch(rules: Sequence[RulePlan], places: tuple[int, ...]) -> RuleBatch:
    if rules[places[0]].queries:
        nothing = batch_plan([])
        return RuleBatch(
            places=places,
            queries=nothing,
            sources=nothing,
            watched={},
            recoveries=nothing,
            recovered_by={},
            asks_datasources=True,
        )
    queries = batch_plan([rules[place].expr for place in places])
    texts: list[str] = []
    watched: dict[int, tuple[int, ...]] = {}
    for place, expression in zip(places, queries.expressions, strict=True):
        if not watches_sources(rules[place]) or expression is None:
            continue
        sources = data_source_texts(expression)
        watched[place] = tuple(range(len(texts), len(texts) + len(sources)))
        texts += sources
    recovering = [place for place in places if rules[place].recovery_expr]
    return RuleBatch(
        places=places,
        queries=queries,
        sources=batch_plan(texts),
        watched=watched,
        recoveries=batch_plan([rules[place].recovery_expr for place in recovering]),
        recovered_by={place: at for at, place in enumerate(recovering)},
    )
