"""Which series alerts came from: whether these have recovered, and whether they are still there.

An alert remembers the labels of the element it came from (``Instance.source``). What a recovery
expression returns belongs to every alert that has all its labels, so that an aggregation over
clusters recovers the alerts of their hosts, and a scalar all of them.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from apps.alerting.services.fingerprints import fingerprint
from apps.alerting.services.plans import RulePlan
from apps.alerting.services.queries import Answered
from apps.alerting.services.state_values import Answer, Element, Instance
from detectviz.tsdb.interface import METRIC_NAME

LabelSet: TypeAlias = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """What is asked of the past's alerts only where they are absent from an answer.

    Each returns elements, or the error that kept it from it.
    """

    recovery: Callable[[], Answered]
    sources: Callable[[], Sequence[Answered]]


def plain_labels(labels: LabelSet) -> dict[str, str]:
    """Return the labels of an element without the name of its metric."""
    return {name: text for name, text in labels.items() if name != METRIC_NAME}


def followed(
    rule: RulePlan,
    previous: Iterable[Instance],
    elements: tuple[Element, ...],
    questions: Questions,
) -> Answer | Exception:
    """Return an answer with what is known of earlier alerts that are not among its elements."""
    present = {fingerprint(element.labels) for element in elements}
    absent = [
        item
        for item in previous
        if item.is_active and item.is_ordinary and item.fingerprint not in present
    ]
    answer = Answer(elements=elements)
    if not absent:
        return answer
    gone: frozenset[str] = frozenset()
    recovered: frozenset[str] = frozenset()
    if rule.missing_evaluations:
        found = questions.sources()
        errors = [one for one in found if isinstance(one, Exception)]
        if errors:
            return errors[0]
        there = [labels for one in found if not isinstance(one, Exception) for labels, _, _ in one]
        gone = gone_of(absent, there)
    if rule.recovery_expr:
        held = questions.recovery()
        if isinstance(held, Exception):
            return held
        recovered = recovered_of(absent, [labels for labels, _, _ in held])
    return Answer(elements=elements, gone=gone, recovered=recovered)


def recovered_of(instances: Iterable[Instance], held: Iterable[LabelSet]) -> frozenset[str]:
    """Return the fingerprints of alerts that have all labels of something that holds."""
    shapes: dict[tuple[str, ...], set[tuple[str, ...]]] = {}
    for labels in held:
        plain = plain_labels(labels)
        names = tuple(sorted(plain))
        shapes.setdefault(names, set()).add(tuple(plain[name] for name in names))
    return frozenset(
        item.fingerprint
        for item in instances
        if any(
            tuple(item.source.get(name, "") for name in names) in values
            for names, values in shapes.items()
        )
    )


def gone_of(instances: Iterable[Instance], there: Iterable[LabelSet]) -> frozenset[str]:
    """Return the fingerprints of alerts whose very series is not among those that are there.

    A series without labels stands for all: the expression may have matched one side to it.
    """
    known = {frozenset(plain_labels(labels).items()) for labels in there}
    if frozenset() in known:
        return frozenset()
    return frozenset(
        item.fingerprint for item in instances if frozenset(item.source.items()) not in known
    )
