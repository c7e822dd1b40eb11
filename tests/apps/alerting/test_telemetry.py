"""What alerting tells about itself on /metrics."""

import pytest

from apps.alerting.models import Alert, RuleGroup
from apps.alerting.services.telemetry import ALERTS, RULES, alerting_read
from detectviz.clock import utc_now
from detectviz.observability.scrape import QUEUE_AGE, QUEUE_DEPTH
from tests.factories.alerting import first_rule, make_rulegroup, seconds
from tests.factories.orgs import make_org

pytestmark = pytest.mark.django_db


def test_rules_alerts_and_due_groups_are_counted_with_few_labels() -> None:
    org = make_org()
    group = make_rulegroup(org)
    rule = first_rule(group)
    for number, severity in enumerate(("critical", "critical", "my-own-word", "")):
        Alert.objects.create_for(
            org,
            name=f"a-{number}",
            rule=rule,
            fingerprint=f"{number:016}",
            labels={"severity": severity} if severity else {},
            state="firing" if number else "pending",
            value="1",
            active_at=utc_now(),
        )
    RuleGroup.objects.across_orgs(reason="a test").update(next_due_at=utc_now() - seconds(20))

    read = {(metric, labels): value for metric, labels, value in alerting_read()}

    assert read[RULES, ("unknown",)] >= 1
    assert read[RULES, ("err",)] == 0
    assert {labels[0]: count for (metric, labels), count in read.items() if metric is ALERTS} == {
        "critical": 2,
        "other": 1,
        "none": 1,
    }
    assert read[QUEUE_DEPTH, ("rule_groups",)] >= 1
    assert 20 <= read[QUEUE_AGE, ("rule_groups",)] < 60
