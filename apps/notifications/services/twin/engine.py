"""The dispatcher in memory and in virtual time: the very functions of the real one, no SQL.

Every notification is taken as delivered at the moment it is written. Acknowledgements, snoozes,
flapping, dependencies and failures to deliver are no part of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from operator import attrgetter
from typing import Any

from apps.alerting.services.dependency_blocks import DependencyBook
from apps.notifications.models import AlertGroup, RoutedAlert
from apps.notifications.services.causes import Snapshot, SuppressionInput
from apps.notifications.services.decision import LastSent
from apps.notifications.services.dispatch import Place, ends_promptly, group_new, places_of
from apps.notifications.services.inhibition import Inhibitor
from apps.notifications.services.recurrence import next_change_at
from apps.notifications.services.suppression import (
    causes_of,
    point_cause,
    point_receivers,
    with_nobody,
)
from apps.notifications.services.suppressors import silences_index
from apps.notifications.services.twin.values import AlertWord, Firing, Outcome, Plan, Told
from apps.notifications.services.verdict import (
    Action,
    GroupView,
    Verdict,
    free_to_go,
    group_view,
    muted_of,
    receiver_verdict,
)
from detectviz.resources.errors import LimitExceededError

MAX_WORK = 400_000  # alerts looked at in flushes: some seconds


@dataclass(slots=True)
class _Group:
    row: AlertGroup
    members: dict[str, RoutedAlert] = field(default_factory=dict)

    def split(self) -> tuple[list[RoutedAlert], list[RoutedAlert]]:
        ordered = sorted(self.members.values(), key=attrgetter("starts_at", "fingerprint"))
        over = [alert for alert in ordered if alert.is_resolved]
        return [alert for alert in ordered if not alert.is_resolved], over


def plan_replay(
    plan: Plan, words: Sequence[AlertWord], *, until: datetime, max_work: int = MAX_WORK
) -> Outcome:
    """Return whom a plan tells of what, until a time; ``words`` lie in order of time.

    Raise LimitExceededError for more than can be replayed while somebody waits.
    """
    twin = _Twin(plan, max_work)
    for at, some in groupby(words, key=attrgetter("at")):
        if at >= until:
            break
        twin.run_to(at)
        twin.hear(list(some), at)
        twin.flush_due(at)
    twin.run_to(until)
    return twin.outcome


class _Twin:
    def __init__(self, plan: Plan, max_work: int) -> None:
        self.outcome = Outcome()
        self._plan = plan
        self._max_work = max_work
        self._alerts: dict[str, RoutedAlert] = {}
        self._groups: dict[str, _Group] = {}
        self._records: dict[tuple[str, str, str], LastSent] = {}
        self._inhibitor: Inhibitor | None = None
        self._silences: Any = None
        self._silences_until: datetime | None = None

    def run_to(self, until: datetime) -> None:
        """Flush what is due before ``until``, in order of time."""
        while self._groups:
            at = min(group.row.next_flush_at for group in self._groups.values())
            if at >= until:
                return
            self.flush_due(at)

    def hear(self, words: Sequence[AlertWord], now: datetime) -> None:
        """Take in what alerting said at one moment, and route it."""
        changed: dict[str, RoutedAlert] = {}
        for word in words:
            known = self._alerts.get(word.fingerprint)
            if known is None and word.is_resolved:
                continue  # nobody ever heard of it
            changed[word.fingerprint] = self._taken(word, known)
        self._inhibitor = None
        for place in places_of(self._plan.root, changed.values()):
            self._join(place, now)

    def _taken(self, word: AlertWord, known: RoutedAlert | None) -> RoutedAlert:
        alert = known or RoutedAlert(org_id=self._plan.org_id, fingerprint=word.fingerprint)
        alert.is_resolved = word.is_resolved
        if not word.is_resolved:
            alert.labels, alert.rule_group = dict(word.labels), word.rule_group
            alert.starts_at = word.starts_at
            self.outcome.firings[(word.fingerprint, word.starts_at)] = Firing(
                fingerprint=word.fingerprint, labels=word.labels, starts_at=word.starts_at
            )
        self._alerts[word.fingerprint] = alert
        return alert

    def _join(self, place: Place, now: datetime) -> None:
        group = self._groups.get(place.digest)
        if group is None:
            if not place.begins_group:
                return
            group = self._groups[place.digest] = _Group(group_new(self._plan.org_id, place, now))
        over = [one for one in place.alerts if one.is_resolved]
        is_prompt = ends_promptly(group.row) and any(
            one.fingerprint in group.members for one in over
        )
        if group.row.next_flush_at > now and (place.is_overdue(group.row, now) or is_prompt):
            group.row.next_flush_at = now
        for alert in place.alerts:
            group.members[alert.fingerprint] = self._alerts[alert.fingerprint]
            if not alert.is_resolved:
                firing = (alert.fingerprint, alert.starts_at)
                self.outcome.routed.setdefault(firing, set()).add(group.row.contact_point)

    def flush_due(self, now: datetime) -> None:
        """Flush every group that is due now."""
        due = [one for one in self._groups.values() if one.row.next_flush_at <= now]
        for group in sorted(due, key=lambda one: one.row.next_flush_at):
            self._flush(group, now)

    def _flush(self, group: _Group, now: datetime) -> None:
        self._count(len(group.members))
        row = group.row
        firing, resolved = group.split()
        row.has_flushed = True
        row.next_flush_at = now + timedelta(milliseconds=row.group_interval_ms)
        causes = causes_of(
            SuppressionInput(
                org_id=row.org_id,
                alerts=[*firing, *resolved],
                now=now,
                snapshot=self._snapshot(now),
                options=row.route_options,
            )
        )
        point = self._plan.points.get(row.contact_point)
        nobody = with_nobody(causes, firing, point_cause(row.contact_point, point))
        for alert in firing:
            if chain := nobody.get(alert.fingerprint):
                place = (alert.fingerprint, alert.starts_at, row.contact_point)
                self.outcome.held[place] = chain
        view = group_view(firing=firing, resolved=resolved, causes=causes, woken_at=None)
        for receiver in point_receivers(point):
            self._tell(group, receiver["name"], view, now, sends=receiver["send_resolved"])
        self._clean(group, resolved, muted_of(causes))

    def _count(self, alerts: int) -> None:
        self.outcome.work += alerts + 1
        if self.outcome.work > self._max_work:
            raise LimitExceededError(
                f"Replaying this looks at more than {self._max_work} alerts. "
                "Ask about a shorter time, or send the alerts that matter in a file."
            )

    def _tell(
        self, group: _Group, receiver: str, view: GroupView, now: datetime, *, sends: bool
    ) -> None:
        row = group.row
        place = (row.group_key, row.contact_point, receiver)
        verdict = receiver_verdict(
            view=view,
            last=self._records.get(place),
            sends_resolved=sends,
            repeat_interval=timedelta(milliseconds=row.repeat_interval_ms),
            now=now,
        )
        if verdict.action is Action.NOTHING:
            return
        firing = frozenset(alert.fingerprint for alert in verdict.firing)
        resolved = frozenset(alert.fingerprint for alert in verdict.resolved)
        self._records[place] = LastSent(firing=firing, resolved=resolved, sent_at=now)
        if verdict.action is Action.TELL:
            self.outcome.told.append(
                Told(
                    at=now,
                    listener=(row.contact_point, receiver),
                    group_key=row.group_key,
                    firing=firing,
                    resolved=resolved,
                    starts=_starts(verdict),
                    reason=verdict.reason.value,
                )
            )

    def _clean(self, group: _Group, resolved: Sequence[RoutedAlert], muted: set[str]) -> None:
        row = group.row
        believed: set[str] = set()
        for receiver in point_receivers(self._plan.points.get(row.contact_point)):
            last = self._records.get((row.group_key, row.contact_point, receiver["name"]))
            believed |= last.firing if last else set()
        for alert in free_to_go(
            resolved, believed=believed, muted=muted, options=row.route_options
        ):
            del group.members[alert.fingerprint]
        if not group.members:
            del self._groups[row.key_digest]

    def _snapshot(self, now: datetime) -> Snapshot:
        known = {
            "inhibitor": self._inhibitor_now(),
            "silences": self._silences_at(now),
            "time_intervals": self._plan.intervals,
            "folders": self._plan.folders,
            "dependencies": DependencyBook(monitors={}, rules={}),
            "flapping": {},
            "datasources_down": {},
            "handlings": {},
            "maintained_monitors": {},
            "maintained_alerts": (),
        }
        return Snapshot.of_known(org_id=self._plan.org_id, now=now, known=known)

    def _inhibitor_now(self) -> Inhibitor | None:
        if self._inhibitor is None and self._plan.inhibitions:
            firing = [
                (alert.fingerprint, alert.labels)
                for alert in self._alerts.values()
                if not alert.is_resolved
            ]
            self._inhibitor = Inhibitor(self._plan.inhibitions, firing)
        return self._inhibitor

    def _silences_at(self, now: datetime) -> Any:
        if self._silences is None or (self._silences_until and now >= self._silences_until):
            self._silences = silences_index(self._plan.silences, now)
            changes = [next_change_at(one, now) for one in self._plan.silences]
            self._silences_until = min((one for one in changes if one), default=None)
        return self._silences


def _starts(verdict: Verdict) -> dict[str, datetime]:
    return {one.fingerprint: one.starts_at for one in (*verdict.firing, *verdict.resolved)}
