"""``alerting/v1`` SLO and AnomalyRule: resources whose rules are generated."""

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from django.db import models
from rest_framework import serializers

from apps.alerting.api.serializers import DurationText, TextMapField
from apps.alerting.models import AnomalyRule, Slo
from apps.alerting.services.anomaly_rules import INTERVAL_MS as ANOMALY_INTERVAL_MS
from apps.alerting.services.anomaly_rules import anomaly_rules, anomaly_terms
from apps.alerting.services.generated_groups import (
    generated_group_delete,
    generated_group_write,
)
from apps.alerting.services.slo_rules import (
    INTERVAL_MS,
    LONG_WINDOWS,
    PERIODS,
    PLACEHOLDER,
    SHORT_WINDOWS,
    slo_rules,
    slo_terms,
)
from apps.alerting.services.slo_status import slo_standings
from detectviz.clock import utc_now
from detectviz.resources.errors import InvalidFieldsError
from detectviz.resources.registry import ResourceKind, Write

_LONGEST_NAME = 55  # the prefix of the group's name comes before it
BURN_WINDOWS = (*SHORT_WINDOWS, *LONG_WINDOWS)


class FiniteField(serializers.FloatField):
    """A number that is one: ``nan`` passes every comparison with bounds."""

    def to_internal_value(self, data: Any) -> float:
        """Return the number; refuse NaN and infinities."""
        value = super().to_internal_value(data)
        if not math.isfinite(value):
            self.fail("invalid")
        return value


class SliSerializer(serializers.Serializer[Any]):
    """What is good and what is all: PromQL with ``$window``, or a monitor."""

    good = serializers.CharField(required=False, max_length=4000)
    total = serializers.CharField(required=False, max_length=4000)
    monitor = serializers.RegexField(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse what is neither or both."""
        if ("monitor" in attrs) == ("good" in attrs) or ("good" in attrs) != ("total" in attrs):
            raise serializers.ValidationError("Give good and total, or a monitor.")
        for name in ("good", "total"):
            if name in attrs and PLACEHOLDER not in attrs[name]:
                message = f"Write {PLACEHOLDER} where the range stands: …[{PLACEHOLDER}]."
                raise serializers.ValidationError({name: message})
        return attrs


class BurnRateSerializer(serializers.Serializer[Any]):
    """Share of the error budget in percent, gone within ``long`` and still going in ``short``."""

    budget = FiniteField(min_value=0.01, max_value=100)
    long = serializers.ChoiceField(choices=BURN_WINDOWS)
    short = serializers.ChoiceField(choices=BURN_WINDOWS)


class BurnAlertSerializer(serializers.Serializer[Any]):
    """One of the two alerts."""

    enabled = serializers.BooleanField(default=True)
    burn_rates = BurnRateSerializer(many=True, required=False, allow_empty=False)
    labels = TextMapField(required=False)
    annotations = TextMapField(required=False)


class AlertingSerializer(serializers.Serializer[Any]):
    """Whom to wake, and what can wait."""

    page = BurnAlertSerializer(required=False)
    ticket = BurnAlertSerializer(required=False)


class SloSpecSerializer(serializers.Serializer[Any]):
    """A service level objective."""

    title = serializers.CharField(required=False, allow_blank=True, max_length=200, default="")
    enabled = serializers.BooleanField(default=True)
    objective = FiniteField(min_value=1, max_value=99.9999)
    window = serializers.ChoiceField(choices=PERIODS, default="30d")
    sli = SliSerializer()
    alerting = AlertingSerializer(required=False, default=dict)


class AnomalySpecSerializer(serializers.Serializer[Any]):
    """A watch on what is unusual for the hour of the week."""

    title = serializers.CharField(required=False, allow_blank=True, max_length=200, default="")
    enabled = serializers.BooleanField(default=True)
    expr = serializers.CharField(max_length=2000)
    by = serializers.ListField(
        child=serializers.RegexField(r"^[a-zA-Z_][a-zA-Z0-9_]*$", max_length=100),
        default=list,
        max_length=10,
    )
    weeks = serializers.IntegerField(min_value=2, max_value=8, default=4)
    deviations = FiniteField(min_value=1, max_value=100, default=6)
    least_percent = FiniteField(min_value=0, max_value=1000, default=10)
    direction = serializers.ChoiceField(choices=("both", "above", "below"), default="both")
    labels = TextMapField(required=False, default=dict)
    annotations = TextMapField(required=False, default=dict)

    def get_fields(self) -> dict[str, Any]:
        """Add ``for``, which is a word of the language."""
        return {**super().get_fields(), "for": DurationText(default="10m")}


class _GeneratedKind(ResourceKind[Any]):
    """What both have in common."""

    group = "alerting"
    permission = "rulegroups"
    apply_order = 34  # before rule groups, so that its own is there when an export names it

    def to_spec(self, instance: Any) -> dict[str, Any]:
        """Return the spec as written."""
        return {"title": instance.title, "enabled": instance.is_enabled, **instance.spec}

    def write(self, change: Write[Any]) -> Any:
        """Store it and generate its rules anew."""
        if len(change.name) > _LONGEST_NAME:
            raise InvalidFieldsError({"metadata.name": [f"At most {_LONGEST_NAME} characters."]})
        row: Any = change.instance or self.model(org_id=change.org.pk, name=change.name)
        spec = dict(change.spec)
        row.title, row.is_enabled = spec.pop("title"), spec.pop("enabled")
        row.spec, row.labels = spec, dict(change.labels)
        row.folder_id = change.folder.pk if change.folder else None
        rules, interval_ms = self.rules_of(row)
        generated_group_write(owner=row, rules=rules, interval_ms=interval_ms, now=utc_now())
        return row

    def remove(self, instance: Any, *, actor: models.Model | None) -> None:
        """Delete it with its rules; their alerts end."""
        generated_group_delete(owner=instance, now=utc_now())
        instance.delete()

    @abstractmethod
    def rules_of(self, row: Any) -> tuple[Sequence[dict[str, Any]], int]:
        """Return the rules and how often they are evaluated, in milliseconds."""


class SloKind(_GeneratedKind):
    """A service level objective: generates its recording rules and burn-rate alerts."""

    kind = "SLO"
    plural = "slos"
    model = Slo
    spec_serializer = SloSpecSerializer

    def to_status(self, instance: Any) -> dict[str, Any]:
        """Return how much of the error budget is left."""
        standing = slo_standings(instance.org, [instance], now=utc_now())[instance.name]
        return {"rule_group": instance.group_name, **standing.as_json()}

    def rules_of(self, row: Any) -> tuple[Sequence[dict[str, Any]], int]:
        """Return recordings and alerts."""
        return slo_rules(slo_terms(name=row.name, title=row.title, spec=row.spec)), INTERVAL_MS


class AnomalyRuleKind(_GeneratedKind):
    """What is unusual for the hour of the week: generates its band and an alert."""

    kind = "AnomalyRule"
    plural = "anomalyrules"
    model = AnomalyRule
    spec_serializer = AnomalySpecSerializer

    def to_status(self, instance: Any) -> dict[str, Any]:
        """Return the group with the rules."""
        return {"rule_group": instance.group_name}

    def rules_of(self, row: Any) -> tuple[Sequence[dict[str, Any]], int]:
        """Return the band and the alert."""
        terms = anomaly_terms(name=row.name, title=row.title, spec=row.spec)
        return anomaly_rules(terms), ANOMALY_INTERVAL_MS
