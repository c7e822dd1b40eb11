"""What the collector hands over: a monitor's plan, and the report of one finished check."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from apps.monitors.services.states import Policy
from detectviz.clock import from_ms
from detectviz.contracts.collector import CheckResult


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckPlan:
    """What the collector keeps in memory of one version of a monitor."""

    monitor_id: int
    config_version: int
    org_id: int
    tenant: str
    name: str
    type: str
    base_labels: Mapping[str, str]
    policy: Policy
    interval_s: float
    timeout_s: float
    is_passive: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """One finished check of one claimed slot."""

    plan: CheckPlan
    epoch: int
    slot_ms: int
    started_at_ms: int
    result: CheckResult
    is_offline: bool = False  # the collector itself had no network: says nothing of the target

    @property
    def finished_at(self) -> datetime:
        """When the check ended, as far as it was measured.

        What a passive collector reports is how long somebody else's job took.
        """
        took_s = 0.0 if self.plan.is_passive else self.result.duration_s or 0.0
        return from_ms(self.started_at_ms + round(min(took_s, self.plan.timeout_s) * 1000))
