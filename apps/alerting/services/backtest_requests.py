"""A request for a backtest: which rule, over what time, how often."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from apps.alerting.models import RuleGroup
from apps.alerting.services.backtests import Backtest, rule_backtest
from apps.alerting.services.rule_specs import RULE_FIELDS
from apps.alerting.services.schedule import slot_offset_ms
from apps.series.selectors import Tenant
from detectviz.contracts.durations import parse_duration_ms
from detectviz.resources.errors import InvalidFieldsError

DEFAULT_RANGE = "7d"
DEFAULT_INTERVAL = "1m"


def backtest_of(
    *, org: Tenant, body: Mapping[str, Any], group: RuleGroup | None, now: datetime
) -> Backtest:
    """Run the rule written in ``body``, or the one it names of ``group``, over the past.

    A stored rule is run as its group runs it: interval, offset, labels, limit and slots. Raise
    InvalidFieldsError naming the field.
    """
    end = body.get("end") or now
    span = timedelta(milliseconds=parse_duration_ms(body.get("range") or DEFAULT_RANGE))
    start = body.get("start") or end - span
    if start > end:
        raise InvalidFieldsError({"start": ["Must be before the end."]})
    if group is None:
        rule = {key: value for key, value in body.items() if key in RULE_FIELDS}
        interval_ms = parse_duration_ms(body.get("interval") or DEFAULT_INTERVAL)
        return rule_backtest(tenant=org, rule=rule, start=start, end=end, interval_ms=interval_ms)
    interval = body.get("interval")
    interval_ms = parse_duration_ms(interval) if interval else group.interval_ms
    return rule_backtest(
        tenant=org,
        rule=_named(group, body["rule"]),
        start=start,
        end=end,
        interval_ms=interval_ms,
        shared_labels=group.shared_labels,
        query_offset_ms=group.query_offset_ms,
        limit=group.limit,
        slot_offset_ms=slot_offset_ms(group.uid, interval_ms),
    )


def _named(group: RuleGroup, name: str) -> Mapping[str, Any]:
    for rule in group.spec_rules:
        if rule.get("alert") == name:
            found: Mapping[str, Any] = rule
            return found
    raise InvalidFieldsError({"rule": [f"The group has no alerting rule {name!r}."]})
