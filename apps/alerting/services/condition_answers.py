"""What the answers to a rule's queries say: dimensions that hold, and the numbers behind them.

Semantics: Grafana's ``pkg/services/ngalert/eval``: each labelled number of the condition is a
dimension; it holds unless it is zero, and null is no data. Numbers of other queries belong to a
dimension when the labels of one contain those of the other.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from apps.alerting.services.plans import RulePlan
from detectviz.contracts.types import Labels
from detectviz.gotemplate.values import Shown, Value, format_float
from detectviz.queries.errors import DependencyError, ExpressionError
from detectviz.queries.expressions.conversion import values_of
from detectviz.queries.expressions.values import Values
from detectviz.queries.model import Outcome, Results

MOST_DIMENSIONS = 10_000
_UNFIT = re.compile(r"[^a-zA-Z0-9_]")  # noqa: TID251 - our own constant


class ConditionError(Exception):
    """A rule's queries have no answer; the text says which failed and why.

    ``marks`` are labels that say what was asked, ``failing`` the uids of the datasources that
    did not answer (one that refused a query has answered).
    """

    def __init__(self, message: str, *, marks: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.marks: Mapping[str, str] = marks or {}
        self.failing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Captured:
    """One number of one query."""

    ref_id: str
    labels: Labels
    value: float | None

    @property
    def text(self) -> str:
        """The number as it is printed."""
        return "null" if self.value is None else format_float(self.value)

    @property
    def summary(self) -> str:
        """The number with its query and labels, as in Grafana's ``$value``."""
        named = ", ".join(f"{name}={text}" for name, text in sorted(self.labels.items()))
        return f"[ var='{self.ref_id}' labels={{{named}}} value={self.text} ]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimension:
    """One labelled number of a condition; ``value`` of None is missing.

    ``shown`` is the number that is told of it: what the condition compares, if that is known.
    """

    labels: Labels
    value: float | None
    shown: float
    captured: tuple[Captured, ...] = ()

    @property
    def holds(self) -> bool:
        """Tell whether it fires."""
        return self.value is not None and self.value != 0

    @property
    def values(self) -> dict[str, Value]:
        """``$values`` of templates: by ref id, with Labels and Value, printed as the number."""
        return {
            each.ref_id: Shown({"Labels": dict(each.labels), "Value": each.value}, each.text)
            for each in self.captured
        }

    @property
    def summary(self) -> str:
        """``$value`` of templates: every number in words."""
        return ", ".join(each.summary for each in self.captured)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionAnswer:
    """What the condition of a rule came to; without dimensions there is no data.

    ``recovered`` are the labels for which its recovery condition holds.
    """

    dimensions: tuple[Dimension, ...] = ()
    recovered: tuple[Labels, ...] = ()
    marks: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_no_data(self) -> bool:
        """Tell whether no dimension has a value."""
        return all(each.value is None for each in self.dimensions)


def condition_answer(
    rule: RulePlan, results: Results, *, marks: Mapping[str, str]
) -> ConditionAnswer:
    """Return the dimensions of the rule's condition; raise ConditionError when there is none."""
    values = _condition_values(rule.condition, results)
    captured = list(_captured_of(results))
    compared = _compared(rule)
    dimensions = []
    for value in values:
        if value.is_no_data:
            continue
        mine = tuple(_matching(captured, value.labels))
        number = value.one()
        told = next((each.value for each in mine if each.ref_id == compared), number)
        dimensions.append(
            Dimension(
                labels=value.labels,
                value=number,
                shown=float("nan") if told is None else told,
                captured=mine,
            )
        )
    return ConditionAnswer(
        dimensions=tuple(dimensions), recovered=_recovered(rule, results), marks=marks
    )


def _recovered(rule: RulePlan, results: Results) -> tuple[Labels, ...]:
    if not rule.recovery_condition:
        return ()
    values = _condition_values(rule.recovery_condition, results)
    numbers = [(value.labels, value.one()) for value in values if not value.is_no_data]
    return tuple(labels for labels, number in numbers if number is not None and number != 0)


def _condition_values(condition: str, results: Results) -> Values:
    outcome = results.outcomes[condition]
    if outcome.error is not None:
        raise ConditionError(_problem(outcome, results))
    try:
        values = values_of(outcome.frames)
    except ExpressionError as error:
        raise ConditionError(f"{condition}: {error.message}") from error
    if any(value.is_series for value in values):
        raise ConditionError(
            f"{condition} is a time series; only numbers can be a condition, so reduce it"
        )
    if len(values) > MOST_DIMENSIONS:
        raise ConditionError(f"{condition} has more than {MOST_DIMENSIONS:,} dimensions")
    return values


def _problem(outcome: Outcome, results: Results) -> str:
    """Return why: what failed itself, not what only depends on it."""
    roots = [
        f"{each.ref_id}: {each.error.message}"
        for each in results.outcomes.values()
        if each.error is not None and not isinstance(each.error, DependencyError)
    ]
    own = outcome.error
    assert own is not None
    if roots and isinstance(own, DependencyError):
        return "; ".join(roots)
    return f"{outcome.ref_id}: {own.message}"


def _captured_of(results: Results) -> Iterator[Captured]:
    for outcome in results.outcomes.values():
        try:
            values = values_of(outcome.frames) if outcome.error is None else ()
        except ExpressionError:
            continue  # a table of texts: nothing to show as a number
        for value in values:
            if value.is_series or value.is_no_data:
                continue
            yield Captured(ref_id=outcome.ref_id, labels=value.labels, value=value.one())
            matches: Any = value.meta.get("matches") or ()  # of a classic condition
            for place, match in enumerate(matches):
                yield Captured(
                    ref_id=f"{outcome.ref_id}{place}",
                    labels=match.get("labels") or {},
                    value=match.get("value"),
                )


def _matching(captured: Iterable[Captured], labels: Labels) -> Iterator[Captured]:
    mine = labels.items()
    seen: set[str] = set()
    exact_first = sorted(captured, key=lambda each: each.labels != labels)
    for each in exact_first:
        theirs = each.labels.items()
        if each.ref_id not in seen and (theirs <= mine or mine <= theirs):
            seen.add(each.ref_id)
            yield each


def fitting_labels(labels: Labels) -> dict[str, str]:
    """Return labels under names Prometheus knows: ``Host name`` becomes ``Host_name``."""
    return {
        _UNFIT.sub("_", name)
        if name[:1].isalpha() or name[:1] == "_"
        else _UNFIT.sub("_", f"_{name}"): str(text)
        for name, text in labels.items()
    }


def _compared(rule: RulePlan) -> str:
    """Return the ref id whose number a threshold judges, else the condition's own."""
    for query in rule.queries:
        model = query.get("model") or {}
        if query["ref_id"] == rule.condition and model.get("type") == "threshold":
            return str(model.get("expression", "")).strip().strip("${}")
    return rule.condition
