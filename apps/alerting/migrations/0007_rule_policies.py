"""Rules say how their alerts recover, flap, go missing and depend on others."""

from typing import ClassVar

from django.db import migrations, models
from django.db.migrations.operations.base import Operation

_RULE = {
    "missing_series_evaluations": models.PositiveSmallIntegerField(default=0),
    "recovery_expr": models.TextField(blank=True, default=""),
    "recovery_condition": models.CharField(blank=True, default="", max_length=64),
    "limit": models.PositiveIntegerField(default=0),
    "low_flap_threshold": models.PositiveSmallIntegerField(blank=True, null=True),
    "high_flap_threshold": models.PositiveSmallIntegerField(blank=True, null=True),
    "holds_flapping": models.BooleanField(default=False),
    "depends_on": models.JSONField(blank=True, default=list),
    "failing_datasources": models.JSONField(blank=True, default=list),
}
_ALERT = {
    "reason": models.CharField(blank=True, default="", max_length=20),
    "missed": models.PositiveSmallIntegerField(default=0),
    "is_flapping": models.BooleanField(default=False),
    "flips": models.JSONField(blank=True, default=list),
}


class Migration(migrations.Migration):
    dependencies: ClassVar[list[tuple[str, str]]] = [("alerting", "0006_handling")]
    operations: ClassVar[list[Operation]] = [
        migrations.AddField(model_name=model, name=name, field=field)
        for model, fields in (("rule", _RULE), ("alert", _ALERT))
        for name, field in fields.items()
    ]
