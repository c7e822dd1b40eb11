"""The shape of a rule group's spec; what rules mean is judged by the services."""

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.alerting.enums import ErrorPolicy, NoDataPolicy, RuleEvaluator
from apps.alerting.services.conditions import queries_problems
from apps.alerting.services.rule_specs import labels_problems, rule_problems
from apps.series.services import series_store
from detectviz.contracts.durations import DurationError, parse_duration_ms
from detectviz.promql.push_down import can_push_down

MOST_RULES = 1000
SHORTEST_INTERVAL_MS = 1_000
LONGEST_INTERVAL_MS = 86_400_000
DEFAULT_INTERVAL = "1m"


class DurationText(serializers.CharField):
    """A Prometheus duration, kept as written."""

    def __init__(self, *, shortest_ms: int = 0, longest_ms: int | None = None, **kw: Any) -> None:
        super().__init__(max_length=100, **kw)
        self.shortest_ms, self.longest_ms = shortest_ms, longest_ms

    def to_internal_value(self, data: Any) -> str:
        """Return the text when it is a duration within bounds."""
        if not isinstance(data, str):
            raise serializers.ValidationError("Write a duration as text, such as 30s or 5m.")
        text = super().to_internal_value(data)
        try:
            milliseconds = parse_duration_ms(text)
        except DurationError as error:
            raise serializers.ValidationError(str(error)) from error
        if milliseconds < self.shortest_ms:
            raise serializers.ValidationError(f"Must be at least {self.shortest_ms} ms.")
        if self.longest_ms is not None and milliseconds > self.longest_ms:
            raise serializers.ValidationError("Must be at most 1d.")
        return text


class TextMapField(serializers.DictField):
    """A map of names to texts; numbers are not silently turned into text."""

    def to_internal_value(self, data: Any) -> dict[str, str]:
        """Return the map when all its values are texts."""
        if not isinstance(data, Mapping):
            raise serializers.ValidationError("Must be a map of names to texts.")
        wrong = {str(key): ["Must be text."] for key, text in data.items() if type(text) is not str}
        if wrong:
            raise serializers.ValidationError(wrong)
        return dict(data)


class RuleQuerySerializer(serializers.Serializer[Any]):
    """One query of a rule that asks datasources, or an expression (``__expr__``) on others.

    The range is relative to the evaluation: 10m to 0s unless it is said.
    """

    ref_id = serializers.CharField(max_length=63)
    datasource = serializers.CharField(required=False, allow_blank=True, max_length=63)
    model = serializers.DictField(required=False)
    relative_from = DurationText(required=False)
    relative_to = DurationText(required=False)
    interval_ms = serializers.IntegerField(required=False, min_value=1, max_value=2**31 - 1)
    max_data_points = serializers.IntegerField(required=False, min_value=1, max_value=50_000)


@extend_schema_field(
    {
        "type": "array",
        "items": {
            "oneOf": [
                {"type": "string"},
                {
                    "type": "object",
                    "properties": {
                        "rule": {"type": "string"},
                        "group": {"type": "string"},
                        "matchers": {"type": "array", "items": {"type": "string"}},
                        "equal": {"type": "array", "items": {"type": "string"}},
                    },
                },
            ]
        },
    }
)
class DependenciesField(serializers.Field[Any, Any, Any, Any]):
    """What a rule depends on: names of rules, or maps of rule, group, matchers and equal."""

    def to_internal_value(self, data: Any) -> Any:
        """Leave the judgement to the rule's own check."""
        return data

    def to_representation(self, value: Any) -> Any:
        """Return it as it was written."""
        return value


class RuleSerializer(serializers.Serializer[Any]):
    """One rule, in Prometheus' own fields, plus ``no_data``, ``on_error`` and ``enabled``.

    In place of ``expr`` it may have ``queries`` of datasources and a ``condition`` among them.
    """

    alert = serializers.CharField(required=False, max_length=255, trim_whitespace=False)
    record = serializers.CharField(required=False, max_length=255, trim_whitespace=False)
    expr = serializers.CharField(
        required=False, allow_blank=True, max_length=16_384, trim_whitespace=False
    )
    queries = RuleQuerySerializer(many=True, required=False)
    condition = serializers.CharField(required=False, allow_blank=True, max_length=63)
    keep_firing_for = DurationText(required=False)
    labels = TextMapField(required=False)
    annotations = TextMapField(required=False)
    no_data = serializers.ChoiceField(required=False, choices=NoDataPolicy.choices)
    on_error = serializers.ChoiceField(required=False, choices=ErrorPolicy.choices)
    missing_series_evaluations = serializers.IntegerField(required=False, min_value=1)
    recovery_expr = serializers.CharField(
        required=False, allow_blank=True, max_length=16_384, trim_whitespace=False
    )
    recovery_condition = serializers.CharField(required=False, allow_blank=True, max_length=63)
    limit = serializers.IntegerField(required=False, min_value=0)
    low_flap_threshold = serializers.IntegerField(required=False, min_value=0, max_value=100)
    high_flap_threshold = serializers.IntegerField(required=False, min_value=0, max_value=100)
    hold_while_flapping = serializers.BooleanField(required=False)
    depends_on = DependenciesField(required=False)
    enabled = serializers.BooleanField(required=False)

    def get_fields(self) -> dict[str, Any]:
        """Return the fields with ``for``, whose name Python keeps for itself."""
        fields = super().get_fields()
        fields["for"] = DurationText(required=False)
        return fields

    def validate(self, attrs: Mapping[str, Any]) -> dict[str, Any]:
        """Refuse what is no rule, naming the field."""
        rule = plain_rule(attrs)
        problems = rule_problems(rule)
        if rule.get("queries") and not problems and "org" in self.context:
            problems = queries_problems(self.context["org"], rule["queries"])
        if problems:
            raise serializers.ValidationError(problems)
        return rule


def plain_rule(attrs: Mapping[str, Any]) -> dict[str, Any]:
    """Return a rule with plain lists and without what is empty because it is not used."""
    rule = dict(attrs)
    for name in ("recovery_expr", "recovery_condition", "depends_on"):
        if name in rule and not rule[name]:
            del rule[name]
    if rule.get("queries"):
        rule["queries"] = [dict(query) for query in rule["queries"]]
        if not rule.get("expr"):
            rule.pop("expr", None)
        return rule
    rule.pop("queries", None)
    if not rule.get("condition"):
        rule.pop("condition", None)
    return rule


class RuleGroupSpecSerializer(serializers.Serializer[Any]):
    """``spec`` of a RuleGroup."""

    title = serializers.CharField(max_length=200, allow_blank=True, default="")
    interval = DurationText(
        default=DEFAULT_INTERVAL, shortest_ms=SHORTEST_INTERVAL_MS, longest_ms=LONGEST_INTERVAL_MS
    )
    limit = serializers.IntegerField(min_value=0, max_value=1_000_000, default=0)
    query_offset = DurationText(default="0s", longest_ms=LONGEST_INTERVAL_MS)
    evaluation = serializers.ChoiceField(
        choices=RuleEvaluator.choices, default=RuleEvaluator.ENGINE.value
    )
    labels = TextMapField(default=dict)
    enabled = serializers.BooleanField(default=True)
    rules = RuleSerializer(many=True, default=list)

    def validate_labels(self, value: dict[str, str]) -> dict[str, str]:
        """Refuse names that are no label names."""
        problems = labels_problems("", value, may_be_template=False)
        if problems:
            raise serializers.ValidationError(
                {path.removeprefix("."): text for path, text in problems.items()}
            )
        return value

    def validate_evaluation(self, value: str) -> str:
        """Refuse the backend's engine where the backend has none."""
        if value == RuleEvaluator.BACKEND and not can_push_down(series_store()):
            raise serializers.ValidationError("This series store has no engine of its own.")
        return value

    def validate_rules(self, value: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Bound the number of rules."""
        if len(value) > MOST_RULES:
            raise serializers.ValidationError(f"At most {MOST_RULES} rules; split the group.")
        return value


class EmptySpecSerializer(serializers.Serializer[Any]):
    """``spec`` of what nobody writes."""


class BacktestSerializer(RuleSerializer):
    """A rule to run over the past: its fields, or ``group`` and ``rule`` of a stored one.

    The time is ``range`` (up to now) or ``start`` to ``end``; ``interval`` is how often the rule
    would have been evaluated (of a stored group: its own).
    """

    group = serializers.CharField(required=False, max_length=63)
    rule = serializers.CharField(required=False, max_length=255)
    range = DurationText(required=False)
    start = serializers.DateTimeField(required=False)
    end = serializers.DateTimeField(required=False)
    interval = DurationText(
        required=False, shortest_ms=SHORTEST_INTERVAL_MS, longest_ms=LONGEST_INTERVAL_MS
    )
    expr = serializers.CharField(required=False, max_length=16_384, trim_whitespace=False)

    def validate(self, attrs: Mapping[str, Any]) -> dict[str, Any]:
        """Leave the judgement of the rule to the service, which names the fields itself."""
        is_stored = "group" in attrs and "rule" in attrs
        if is_stored == bool("expr" in attrs or attrs.get("queries")):
            raise serializers.ValidationError({"expr": ["Give a rule, or group and rule."]})
        return dict(attrs)


class BackfillSerializer(serializers.Serializer[Any]):
    """The time over which to run a group's recording rules; ``end`` is now if not given."""

    start = serializers.DateTimeField()
    end = serializers.DateTimeField(required=False)


class PreviewSerializer(RuleSerializer):
    """A rule to try: only ``expr`` is needed. ``shown`` is how far back the picture goes."""

    shown = DurationText(required=False)

    def validate(self, attrs: Mapping[str, Any]) -> dict[str, Any]:
        """Leave the judgement to the service, which names the fields itself."""
        return plain_rule(attrs)
