"""How many alerts an org may have at once, shared out among its rules: first come, first served."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from django.conf import settings

from apps.alerting.models import Alert, RuleGroup
from apps.alerting.services.plans import GroupPlan, RulePlan
from apps.alerting.services.state_values import ACTIVE_STATES, Instance, Step


@dataclass(slots=True)
class OrgRooms:
    """The room of an org while one of its groups is evaluated.

    ``elsewhere`` counts the alerts of its other groups; it is asked once, and only if needed.
    """

    limit: int
    elsewhere: Callable[[], int]
    counts: dict[str, int]
    _others: int | None = None

    def left_beside(self, rule: RulePlan) -> int:
        """Return how many alerts there may be of a rule, given those of the others."""
        if self._others is None:
            self._others = self.elsewhere()
        mine = self.counts.get(rule.key, 0)
        return self.limit - self._others - (sum(self.counts.values()) - mine)

    def note(self, rule: RulePlan, step: Step) -> None:
        """Take in how many alerts a rule has after a step."""
        self.counts[rule.key] = _active(step.instances)


def org_rooms(group: RuleGroup, plan: GroupPlan) -> OrgRooms | None:
    """Return the room for a group's alerts, None where orgs have no limit."""
    limit: int = settings.ALERTS_PER_ORG
    if not limit:
        return None
    counts = {rule.key: _active(rule.instances) for rule in plan.rules if rule.instances}
    alerts = Alert.objects.for_org(group.org_id).filter(state__in=ACTIVE_STATES, rule__isnull=False)
    return OrgRooms(limit, alerts.exclude(rule__group=group).count, counts)


def _active(instances: Iterable[Instance]) -> int:
    return sum(instance.is_active for instance in instances)
