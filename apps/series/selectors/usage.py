"""What an org uses of what it may: series, samples per second, and what was refused."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import models
from django.db.models import Max, Sum

from apps.orgs.models import Org
from apps.series.models import Refusal
from apps.series.selectors.policies import tenant_policy
from apps.series.selectors.store import series_store
from detectviz.clock import to_ms
from detectviz.tsdb.interface import METRIC_NAME, Cardinality, Matcher, MatchOp
from detectviz.tsdb.policy import TenantPolicy

LONGEST_LIST = 10
NEAR = 0.8  # of a limit, and it is time to act
_RATE_WINDOW_S = 120
_MOST_COUNTED = 100_000  # series whose samples are counted while somebody waits


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedSamples:
    """How many samples a door refused for one reason, when last, and that one in words."""

    door: str
    reason: str
    count: int
    last_at: datetime
    example: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesUsage:
    """What an org's series come to beside its limits.

    ``samples_per_s`` is the mean of the last two minutes, None when there are too many series to
    count them now.
    """

    policy: TenantPolicy
    made_of: Cardinality
    samples_per_s: float | None

    @property
    def active(self) -> int:
        """How many series the limit counts, as far as the store says."""
        return self.made_of.series if self.made_of.active is None else self.made_of.active

    @property
    def series_ratio(self) -> float | None:
        """Active series of the limit; None without a limit."""
        return None if self.policy.max_series is None else self.active / self.policy.max_series

    @property
    def rate_ratio(self) -> float | None:
        """Samples per second of the limit; None without a limit or a number."""
        if not self.policy.samples_per_s or self.samples_per_s is None:
            return None
        return self.samples_per_s / self.policy.samples_per_s


def series_usage(org: Org, *, now: datetime) -> SeriesUsage:
    """Return what the org uses now; raise StoreError when the store can't say."""
    made_of = series_store().cardinality(org.uid, LONGEST_LIST)
    return SeriesUsage(
        policy=tenant_policy(org.uid),
        made_of=made_of,
        samples_per_s=_samples_per_s(org, now) if made_of.series <= _MOST_COUNTED else None,
    )


def refusal_list(org: models.Model, *, now: datetime, within: timedelta) -> list[RefusedSamples]:
    """Return what was refused since, most first."""
    hours = Refusal.objects.for_org(org).filter(last_at__gte=now - within)
    found = hours.values("door", "reason").annotate(total=Sum("count"), last=Max("last_at"))
    examples = {(row.door, row.reason): row.example for row in hours.order_by("last_at").iterator()}
    return [
        RefusedSamples(
            door=row["door"],
            reason=row["reason"],
            count=row["total"],
            last_at=row["last"],
            example=examples.get((row["door"], row["reason"]), ""),
        )
        for row in found.order_by("-total", "door", "reason")
    ]


def _samples_per_s(org: Org, now: datetime) -> float:
    end_ms = to_ms(now)
    every = [Matcher(METRIC_NAME, MatchOp.NOT_EQUAL, "")]
    found = series_store().select(org.uid, every, end_ms - _RATE_WINDOW_S * 1000 + 1, end_ms)
    return len(found.values) / _RATE_WINDOW_S
