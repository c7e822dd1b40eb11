"""Functions that change label sets."""

from dataclasses import replace

from detectviz.promql.calls import FunctionCall, Implementation
from detectviz.promql.errors import EvaluationError
from detectviz.promql.labels import Labels, is_valid_label_name
from detectviz.promql.patterns import compile_pattern, expand
from detectviz.promql.quoting import quote
from detectviz.promql.vectors import StepVector, Value
from detectviz.tsdb.interface import METRIC_NAME


def _with_label(labels: Labels, name: str, value: str) -> dict[str, str]:
    changed = dict(labels)
    if value:
        changed[name] = value
    else:
        changed.pop(name, None)
    return changed


def _relabelled(vector: StepVector, name: str, values: list[str | None]) -> StepVector:
    """Set label ``name`` of each series, None leaving it alone; a new metric name is kept."""
    labels = tuple(
        old if value is None else _with_label(old, name, value)
        for old, value in zip(vector.labels, values, strict=True)
    )
    dropped = vector.drop_name.copy()
    if name == METRIC_NAME:
        dropped[[value is not None for value in values]] = False
    return replace(vector, labels=labels, drop_name=dropped).merged()


def _label_replace(call: FunctionCall) -> Value:
    vector = call.vector(0)
    target, template, source, text = (call.string(index) for index in range(1, 5))
    try:
        pattern = compile_pattern(text)
    except ValueError:
        raise EvaluationError(f"invalid regular expression in label_replace(): {text}") from None
    if not is_valid_label_name(target):
        raise EvaluationError(f"invalid destination label name in label_replace(): {target}")
    replaced: dict[str, str | None] = {}
    for value in {labels.get(source, "") for labels in vector.labels}:
        match = pattern.fullmatch(value)
        replaced[value] = None if match is None else expand(template, pattern, match)
    values = [replaced[labels.get(source, "")] for labels in vector.labels]
    return _relabelled(vector, target, values)


def _label_join(call: FunctionCall) -> Value:
    vector = call.vector(0)
    target, separator = call.string(1), call.string(2)
    sources = [call.string(index) for index in range(3, len(call.arguments))]
    for source in sources:
        if not is_valid_label_name(source):
            raise EvaluationError(f"invalid source label name in label_join(): {source}")
    if not is_valid_label_name(target):
        raise EvaluationError(f"invalid label name in label_join(): {quote(target)}")
    joined: list[str | None] = [
        separator.join(labels.get(source, "") for source in sources) for labels in vector.labels
    ]
    return _relabelled(vector, target, joined)


LABEL_FUNCTIONS: dict[str, Implementation] = {
    "label_join": _label_join,
    "label_replace": _label_replace,
}
