"""An alert of a rule is named by the rule's uid and its fingerprint: one unique index says both.

The other held every alert of other programs too, which have no rule, and was written at random.
"""

from typing import ClassVar

from django.db import migrations
from django.db.migrations.operations.base import Operation


class Migration(migrations.Migration):
    dependencies: ClassVar[list[tuple[str, str]]] = [("alerting", "0009_generated_rules")]
    operations: ClassVar[list[Operation]] = [
        migrations.RemoveConstraint(model_name="alert", name="alerting_alert_unique_in_rule"),
    ]
