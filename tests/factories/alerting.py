"""Rule groups and a series store for tests."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from apps.alerting.models import Alert, Rule, RuleGroup
from apps.alerting.services.groups import groups_claim_due
from apps.alerting.services.rulegroups import RuleGroupDraft, rulegroup_write
from apps.orgs.models import Org
from detectviz.clock import to_ms
from detectviz.promql.memory_store import MemoryStore
from detectviz.tsdb.interface import Sample

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
DOWN: Mapping[str, Any] = {"alert": "Down", "expr": "up == 0"}


def make_rulegroup(
    org: Org,
    name: str = "web",
    *,
    rules: Sequence[Mapping[str, Any]] = (DOWN,),
    interval_s: int = 15,
    now: datetime = START,
    **fields: Any,
) -> RuleGroup:
    """Return a rule group whose first slot lies within an interval after ``now``."""
    draft = RuleGroupDraft(name=name, rules=rules, interval_ms=interval_s * 1000, **fields)
    return rulegroup_write(org=org, draft=draft, instance=None, now=now)


def change_rulegroup(
    group: RuleGroup, *, now: datetime, rules: Sequence[Mapping[str, Any]], **fields: Any
) -> RuleGroup:
    """Write other rules (and fields) into a group, keeping its interval."""
    group.refresh_from_db()
    draft = RuleGroupDraft(
        name=group.name, rules=rules, **{"interval_ms": group.interval_ms, **fields}
    )
    return rulegroup_write(org=group.org, draft=draft, instance=group, now=now)


def claim(group: RuleGroup) -> tuple[int, datetime]:
    """Claim a group at its next slot; return the epoch and that time."""
    group.refresh_from_db()
    assert group.next_due_at is not None
    (claimed,) = groups_claim_due(owner="test", now=group.next_due_at, limit=1)
    assert claimed.group_id == group.pk
    return claimed.epoch, group.next_due_at


def put(store: MemoryStore, org: Org, at: datetime, value: float, **labels: str) -> None:
    """Store one sample of ``up`` (or of the ``__name__`` given)."""
    store.append(org.uid, [Sample({"__name__": "up", **labels}, to_ms(at), value)])


def states(group: RuleGroup) -> dict[str, str]:
    """Return the state of each alert of a group by its instance label."""
    rows = Alert.objects.for_org(group.org_id).filter(rule__group=group)
    return {row.labels.get("instance", ""): row.state for row in rows}


def first_rule(group: RuleGroup) -> Rule:
    """Return a group's first rule, fresh."""
    rule: Rule = Rule.objects.for_org(group.org_id).filter(group=group).order_by("position")[0]
    return rule


def seconds(number: float) -> timedelta:
    """Return a span of time."""
    return timedelta(seconds=number)
