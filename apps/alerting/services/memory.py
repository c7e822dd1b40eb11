"""What a process remembers of rule groups between two evaluations of its own.

Every claim and every change of a group raises its epoch. So if a claim's epoch is one more than
the epoch under which this process finished the group, nobody else has touched the group, its
rules or their alerts since, and nothing needs to be read again.
"""

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from apps.alerting.models import Rule, RuleGroup
from apps.alerting.services.batching import RuleBatch
from apps.alerting.services.plans import GroupPlan

MOST_RULES = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownGroup:
    """A group ready to be evaluated: rows by the plans' keys, the plan, and what goes together."""

    rules: Mapping[str, Rule]
    plan: GroupPlan
    batches: Sequence[RuleBatch]


class GroupMemory:
    """Keeps the groups evaluated last, as long as they have not too many rules together."""

    def __init__(self, most_rules: int = MOST_RULES) -> None:
        self._most_rules = most_rules
        self._lock = threading.Lock()
        self._rules = 0
        self._kept: OrderedDict[str, tuple[int, KnownGroup]] = OrderedDict()

    def recalled(self, group: RuleGroup) -> KnownGroup | None:
        """Return what is known of a group just claimed, if that is still so."""
        with self._lock:
            epoch, known = self._kept.pop(group.uid, (0, None))
            self._rules -= len(known.plan.rules) if known else 0
        return known if epoch + 1 == group.epoch else None

    def keep(self, group: RuleGroup, known: KnownGroup) -> None:
        """Remember a group whose evaluation has been committed under the epoch it carries."""
        with self._lock:
            _, old = self._kept.pop(group.uid, (0, None))
            self._rules -= len(old.plan.rules) if old else 0
            self._kept[group.uid] = (group.epoch, known)
            self._rules += len(known.plan.rules)
            while self._rules > self._most_rules:
                _, (_, dropped) = self._kept.popitem(last=False)
                self._rules -= len(dropped.plan.rules)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._kept.clear()
            self._rules = 0


memory = GroupMemory()
