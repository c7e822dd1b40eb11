"""Expressions as users write them, read and checked before anything is asked.

The models are Grafana's: ``type`` is math, reduce, resample, threshold or classic_conditions.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from detectviz.contracts.datasource import TimeRange
from detectviz.contracts.durations import DurationError, parse_duration_ms
from detectviz.contracts.types import JsonObject
from detectviz.queries.errors import ExpressionError
from detectviz.queries.expressions import conditions, thresholds
from detectviz.queries.expressions.grammar import parse_math, references
from detectviz.queries.expressions.math import evaluate_math
from detectviz.queries.expressions.reducing import REDUCERS, Reduction, reduce_values
from detectviz.queries.expressions.resampling import Resampling, resample_values
from detectviz.queries.expressions.thresholds import Evaluator, Threshold, threshold_values
from detectviz.queries.expressions.values import Values

Inputs = Mapping[str, Values]
_MODES = ("strict", "dropNN", "replaceNN")
_UPSAMPLERS = ("pad", "backfilling", "fillna")
_MOST_CONDITIONS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """An expression ready to run: which results it needs, and what it makes of them."""

    type: str
    needs: tuple[str, ...]
    run: Callable[[Inputs], Values]


def read_command(model: JsonObject, span: TimeRange) -> Command:
    """Return the command of an expression's model; raise ExpressionError naming what is wrong."""
    type_ = model.get("type")
    reader = _READERS.get(type_) if isinstance(type_, str) else None
    if reader is None:
        raise ExpressionError(f"type must be one of {', '.join(_READERS)}, not {type_!r}")
    return reader(model, span)


def _math(model: JsonObject, span: TimeRange) -> Command:
    node = parse_math(_text(model, "expression"))
    return Command(type="math", needs=references(node), run=partial(evaluate_math, node))


def _reduce(model: JsonObject, span: TimeRange) -> Command:
    ref_id = _ref_id(model)
    settings = model.get("settings") or {}
    if not isinstance(settings, Mapping):
        raise ExpressionError("settings must be an object")
    mode = settings.get("mode") or "strict"
    replacement = settings.get("replaceWithValue", 0)
    if mode == "replaceNN" and not _is_number(replacement):
        raise ExpressionError("settings.replaceWithValue must be a number")
    reduction = Reduction(
        reducer=_one_of(model.get("reducer"), "reducer", REDUCERS),
        mode=_one_of(mode, "settings.mode", _MODES),  # type: ignore[arg-type]  # one of Mode's
        replacement=float(replacement) if mode == "replaceNN" else 0.0,  # type: ignore[arg-type]  # checked above
    )
    return Command(
        type="reduce",
        needs=(ref_id,),
        run=lambda inputs: reduce_values(inputs[ref_id], reduction, ref_id),
    )


def _resample(model: JsonObject, span: TimeRange) -> Command:
    ref_id = _ref_id(model)
    try:
        window_ms = parse_duration_ms(_text(model, "window"))
    except DurationError as error:
        raise ExpressionError(f"window: {error}") from None
    if window_ms <= 0:
        raise ExpressionError("window must be longer than 0")
    resampling = Resampling(
        window_ms=window_ms,
        downsampler=_one_of(model.get("downsampler"), "downsampler", REDUCERS),
        upsampler=_one_of(model.get("upsampler"), "upsampler", _UPSAMPLERS),  # type: ignore[arg-type]  # one of Upsampler's
    )
    return Command(
        type="resample",
        needs=(ref_id,),
        run=lambda inputs: resample_values(inputs[ref_id], resampling, span),
    )


def _threshold(model: JsonObject, span: TimeRange) -> Command:
    ref_id = _ref_id(model)
    found = _objects(model, "conditions")
    if len(found) != 1:
        raise ExpressionError("a threshold has exactly one condition")
    condition = found[0]
    recovery = condition.get("unloadEvaluator")
    threshold = Threshold(
        evaluator=_evaluator(condition.get("evaluator"), "conditions[0].evaluator"),
        recovery=recovery and _evaluator(recovery, "conditions[0].unloadEvaluator"),
        loaded=_loaded(condition.get("loadedDimensions")),
    )
    return Command(
        type="threshold",
        needs=(ref_id,),
        run=lambda inputs: threshold_values(inputs[ref_id], threshold),
    )


def _classic(model: JsonObject, span: TimeRange) -> Command:
    found = _objects(model, "conditions")
    if not 0 < len(found) <= _MOST_CONDITIONS:
        raise ExpressionError(f"conditions must have 1 to {_MOST_CONDITIONS} items")
    read = tuple(_condition(each, place) for place, each in enumerate(found))
    return Command(
        type="classic_conditions",
        needs=tuple(dict.fromkeys(each.ref_id for each in read)),
        run=lambda inputs: conditions.evaluate_conditions(read, inputs),
    )


_READERS: Mapping[str, Callable[[JsonObject, TimeRange], Command]] = {
    "math": _math,
    "reduce": _reduce,
    "resample": _resample,
    "threshold": _threshold,
    "classic_conditions": _classic,
}


def _condition(model: Mapping[str, Any], place: int) -> conditions.Condition:
    where = f"conditions[{place}]"
    query, reducer = model.get("query"), model.get("reducer")
    names = query.get("params") if isinstance(query, Mapping) else None
    if not isinstance(names, Sequence) or not names or not isinstance(names[0], str):
        raise ExpressionError(f"{where}.query.params must name a query's ref id")
    operator = model.get("operator")
    joined = operator.get("type", "and") if isinstance(operator, Mapping) else "and"
    evaluator = model.get("evaluator")
    type_, parameters = _evaluation(evaluator, f"{where}.evaluator", conditions.EVALUATORS)
    return conditions.Condition(
        ref_id=_plain(names[0]),
        reducer=_one_of(
            reducer.get("type") if isinstance(reducer, Mapping) else None,
            f"{where}.reducer.type",
            conditions.REDUCERS,
        ),
        evaluator=type_,
        parameters=parameters,
        operator=_one_of(joined, f"{where}.operator.type", ("and", "or")) if place else "and",  # type: ignore[arg-type]  # one of both
    )


def _evaluator(model: object, where: str) -> Evaluator:
    type_, parameters = _evaluation(model, where, thresholds.TESTS)
    return Evaluator(type=type_, parameters=parameters)


def _evaluation(
    model: object, where: str, known: Mapping[str, tuple[int, object]]
) -> tuple[str, tuple[float, ...]]:
    if not isinstance(model, Mapping):
        raise ExpressionError(f"{where} must be an object with type and params")
    type_ = _one_of(model.get("type"), f"{where}.type", known)
    wanted, _ = known[type_]
    given = model.get("params") or ()
    if not isinstance(given, Sequence) or not all(map(_is_number, given)) or len(given) < wanted:
        raise ExpressionError(f"{where}.params must have {wanted} numbers for {type_}")
    return type_, tuple(float(each) for each in given[:wanted])


def _loaded(given: object) -> frozenset[thresholds.LabelSet]:
    """Read the label sets that were over the threshold: a list of label objects."""
    if given is None:
        return frozenset()
    if not isinstance(given, Sequence) or not all(isinstance(each, Mapping) for each in given):
        raise ExpressionError("conditions[0].loadedDimensions must be a list of label objects")
    return frozenset(
        frozenset((str(name), str(value)) for name, value in each.items()) for each in given
    )


def _ref_id(model: JsonObject) -> str:
    return _plain(_text(model, "expression"))


def _plain(text: str) -> str:
    """Read ``A``, ``$A`` and ``${A}`` alike."""
    text = text.strip()
    if text.startswith("${") and text.endswith("}"):
        return text[2:-1]
    return text.removeprefix("$")


def _text(model: JsonObject, name: str) -> str:
    value = model.get(name)
    if not isinstance(value, str) or not value.strip():
        raise ExpressionError(f"{name} must be a text and not empty")
    return value


def _objects(model: JsonObject, name: str) -> list[Mapping[str, Any]]:
    value = model.get(name)
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise ExpressionError(f"{name} must be a list of objects")
    found = [each for each in value if isinstance(each, Mapping)]
    if len(found) != len(value):
        raise ExpressionError(f"{name} must be a list of objects")
    return found


def _one_of(
    value: object, name: str, known: Mapping[str, object] | Sequence[str] | frozenset[str]
) -> str:
    if isinstance(value, str) and value in known:
        return value
    raise ExpressionError(f"{name} must be one of {', '.join(sorted(known))}, not {value!r}")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
