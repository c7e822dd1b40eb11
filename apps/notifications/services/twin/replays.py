"""Replay a window of alerts through the present and a proposed configuration, and compare."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import models

from apps.notifications.services.twin.diff import Comparison, Counts, Lost, Row, outcomes_compare
from apps.notifications.services.twin.engine import plan_replay
from apps.notifications.services.twin.history import words_given, words_stored
from apps.notifications.services.twin.plans import plan_proposed, plan_stored
from apps.notifications.services.twin.proposals import proposal_read
from apps.notifications.services.twin.values import Outcome, Told
from detectviz.permissions.access import Access
from detectviz.resources.errors import InvalidFieldsError

MAX_WINDOW = timedelta(days=31)
MAX_ROWS = 1000
ASSUMPTIONS = (
    "Every notification is taken as delivered at once.",
    "Acknowledgements, snoozes, flapping, dependencies and maintenance are left out on both sides.",
    "What fired before the window is told at its beginning.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayAsked:
    """What to replay: a window, alerts (None: the stored history), and what is proposed."""

    since: datetime
    until: datetime
    documents: Sequence[Any] = ()
    without: Sequence[str] = ()
    alerts: Sequence[Mapping[str, Any]] | None = None
    location: str = "UTC"


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """A window told twice."""

    asked: ReplayAsked
    alerts: int
    present: Outcome
    proposed: Outcome
    comparison: Comparison
    losses: Sequence[dict[str, str]] = field(default=())

    @property
    def untold(self) -> list[Lost]:
        """Return the firings somebody is told of now and nobody would be."""
        return [one for one in self.comparison.lost if one.is_untold]

    @property
    def labels(self) -> dict[str, Mapping[str, str]]:
        """Return the labels of all alerts by fingerprint."""
        both = (*self.present.firings.values(), *self.proposed.firings.values())
        return {one.fingerprint: one.labels for one in both}

    def as_json(self) -> dict[str, Any]:
        """Return the answer of API and command; at most 1,000 rows of each list."""
        found = self.comparison
        return {
            "since": self.asked.since,
            "until": self.asked.until,
            "alerts": self.alerts,
            "notifications": {"before": len(self.present.told), "after": len(self.proposed.told)},
            "receivers": [
                _counts_json(listener, counts) for listener, counts in found.counts.items()
            ],
            "differences": [_row_json(row) for row in found.rows[:MAX_ROWS]],
            "removed": [_lost_json(one) for one in found.lost[:MAX_ROWS]],
            "added": [_lost_json(one) for one in found.gained[:MAX_ROWS]],
            "untold": len(self.untold),
            "is_partial": max(len(found.rows), len(found.lost), len(found.gained)) > MAX_ROWS,
            "losses": list(self.losses),
            "assumptions": list(ASSUMPTIONS),
        }


def routes_replay(
    *, org: models.Model, actor: models.Model | None, access: Access | None, asked: ReplayAsked
) -> Replay:
    """Replay and compare; nothing is written and nobody is told.

    Raise InvalidFieldsError for a window or a proposal that can't be, ForbiddenError where
    ``access`` may not write what is proposed, LimitExceededError for too much at once.
    """
    if not timedelta(0) < asked.until - asked.since <= MAX_WINDOW:
        raise InvalidFieldsError(
            {"since": ["The window must be longer than nothing, 31d at most."]}
        )
    window = {"since": asked.since, "until": asked.until}
    if asked.alerts is None:
        words = words_stored(org=org, **window)
    else:
        words = words_given(asked.alerts, **window)
    plan = plan_stored(org)
    proposal = proposal_read(org=org, documents=asked.documents)
    changed = plan_proposed(
        org=org,
        actor=actor,
        access=access,
        proposal=proposal,
        without=asked.without,
        since=asked.since,
    )
    present = plan_replay(plan, words, until=asked.until)
    proposed = plan_replay(changed, words, until=asked.until)
    return Replay(
        asked=asked,
        alerts=len(present.firings),
        present=present,
        proposed=proposed,
        comparison=outcomes_compare(present, proposed, location=asked.location),
        losses=[loss.as_json() for loss in proposal.losses],
    )


def _counts_json(listener: tuple[str, str], counts: Counts) -> dict[str, Any]:
    return {
        "contact_point": listener[0],
        "receiver": listener[1],
        "before": counts.before,
        "after": counts.after,
        "night_before": counts.night_before,
        "night_after": counts.night_after,
        **{each.value: count for each, count in counts.by_difference.items()},
    }


def _row_json(row: Row) -> dict[str, Any]:
    return {
        "difference": row.difference.value,
        "before": _told_json(row.before),
        "after": _told_json(row.after),
    }


def _told_json(told: Told | None) -> dict[str, Any] | None:
    if told is None:
        return None
    return {
        "at": told.at,
        "contact_point": told.listener[0],
        "receiver": told.listener[1],
        "group_key": told.group_key,
        "firing": sorted(told.firing),
        "resolved": sorted(told.resolved),
        "reason": told.reason,
    }


def _lost_json(one: Lost) -> dict[str, Any]:
    return {
        "fingerprint": one.firing.fingerprint,
        "labels": dict(one.firing.labels),
        "starts_at": one.firing.starts_at,
        "contact_point": one.contact_point,
        "is_untold": one.is_untold,
        "causes": [cause.as_json() for cause in one.causes],
    }
