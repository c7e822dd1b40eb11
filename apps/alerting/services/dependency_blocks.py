"""Which firing alerts are held back because what they depend on is down.

Evaluation knows nothing of it, and a resolve is never held back: this is asked only when it is
decided whom to tell. An alert that fired before its parent's failure can have begun is left alone.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeAlias

from django.db import models

from apps.alerting.enums import AlertState
from apps.alerting.models import Alert, Rule
from apps.alerting.services.dependencies import (
    Dependency,
    Graph,
    RuleRef,
    ancestors_of,
    dependency_of,
)
from apps.monitors.selectors.dependencies import FailedParent, dependent_monitors, failed_parents

MONITOR_LABEL = "monitor"
_FIRING = (AlertState.FIRING, AlertState.RECOVERING)
_MOST_NAMES = 500
MOST_BLOCKS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """What holds an alert back: the name of what is down, in words, and since when it is known."""

    name: str
    detail: str
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Parent:
    """A firing alert that others may depend on; it can have begun at ``began_at``."""

    ref: RuleRef
    fingerprint: str
    labels: Mapping[str, str]
    fired_at: datetime
    began_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DependencyBook:
    """What depends on something: monitors by name, rules by group and name."""

    monitors: Mapping[str, Sequence[str]]
    rules: Mapping[RuleRef, Sequence[Dependency]]


Alerts: TypeAlias = Mapping[str, tuple[Mapping[str, str], datetime]]
"""The labels of firing alerts and when they began to fire, by fingerprint."""


@dataclass(slots=True, kw_only=True)
class ParentIndex:
    """An org's firing alerts, found by what a dependency asks of them without looking at all."""

    parents: Sequence[Parent]
    _known: dict[Dependency, dict[tuple[str, ...], list[Parent]]] = field(default_factory=dict)

    def candidates(self, dependency: Dependency, child: Mapping[str, str]) -> Sequence[Parent]:
        """Return the alerts that a dependency means, for an alert with these labels."""
        if dependency not in self._known:
            self._known[dependency] = self._sorted(dependency)
        key = tuple(child.get(name, "") for name in dependency.equal)
        return self._known[dependency].get(key, ())

    def _sorted(self, dependency: Dependency) -> dict[tuple[str, ...], list[Parent]]:
        found: dict[tuple[str, ...], list[Parent]] = {}
        for parent in self.parents:
            if dependency.is_of(parent.ref) and dependency.is_met(parent.labels, parent.labels):
                key = tuple(parent.labels.get(name, "") for name in dependency.equal)
                found.setdefault(key, []).append(parent)
        return found


def dependency_graph(org: models.Model | int) -> dict[RuleRef, list[Dependency]]:
    """Return what the org's rules depend on, those that do, by (group, rule)."""
    rows = Rule.objects.for_org(org).exclude(depends_on=[])
    return {
        (group, name): [dependency_of(entry) for entry in entries]
        for group, name, entries in rows.values_list("group__name", "name", "depends_on")
    }


def dependency_book(org: models.Model | int) -> DependencyBook:
    """Return everything that depends on something in an org; two queries."""
    return DependencyBook(monitors=dependent_monitors(org), rules=dependency_graph(org))


def dependency_blocks(
    org: models.Model | int,
    alerts: Alerts,
    book: DependencyBook,
    *,
    parents: Callable[[], ParentIndex] | None = None,
) -> dict[str, list[Block]]:
    """Return what holds firing alerts back, by fingerprint; those that are free are left out.

    Monitors are known by the label ``monitor``, rules by the alerts' rows. A handful of queries,
    whatever the number, and none where nothing depends on anything. ``parents`` gives the org's
    firing alerts where they are known already. At most five blocks of rules are told of an alert.
    """
    known = parents or (lambda: ParentIndex(parents=firing_parents(org)))
    blocks: dict[str, list[Block]] = {}
    found = [*_of_monitors(org, alerts, book), *_of_rules(org, alerts, book, known)]
    for fingerprint, block in found:
        blocks.setdefault(fingerprint, []).append(block)
    return blocks


def _of_monitors(
    org: models.Model | int, alerts: Alerts, book: DependencyBook
) -> list[tuple[str, Block]]:
    named = {labels.get(MONITOR_LABEL, "") for labels, _ in alerts.values()}
    named &= book.monitors.keys()
    parents = failed_parents(org, named) if named else {}
    return [
        (fingerprint, _monitor_block(parent))
        for fingerprint, (labels, starts_at) in alerts.items()
        for parent in parents.get(labels.get(MONITOR_LABEL, ""), ())
        if starts_at >= parent.began_at
    ]


def _monitor_block(parent: FailedParent) -> Block:
    detail = f"the monitor {parent.name} is down"
    return Block(name=parent.name, detail=detail, since=parent.since)


def _of_rules(
    org: models.Model | int,
    alerts: Alerts,
    book: DependencyBook,
    known: Callable[[], ParentIndex],
) -> list[tuple[str, Block]]:
    if not book.rules:
        return []
    children = _rules_of(org, alerts.keys())
    children = {key: ref for key, ref in children.items() if ref in book.rules}
    if not children:
        return []
    index = known()
    return [
        (fingerprint, _rule_block(parent))
        for fingerprint, ref in children.items()
        for parent in blocking(fingerprint, ref, *alerts[fingerprint], graph=book.rules, of=index)
    ]


def _rule_block(parent: Parent) -> Block:
    name = parent.labels.get("alertname", parent.ref[1])
    detail = f"{name} is firing" + (f" ({parent.ref[0]})" if parent.ref[0] else "")
    return Block(name=name, detail=detail, since=parent.fired_at)


def _rules_of(org: models.Model | int, fingerprints: Collection[str]) -> dict[str, RuleRef]:
    found: dict[str, RuleRef] = {}
    wanted = list(fingerprints)
    for start in range(0, len(wanted), _MOST_NAMES):
        rows = Alert.objects.for_org(org).filter(
            fingerprint__in=wanted[start : start + _MOST_NAMES], rule__isnull=False
        )
        columns = rows.order_by().values_list("fingerprint", "rule__group__name", "rule__name")
        found |= {fingerprint: (group, rule) for fingerprint, group, rule in columns}
    return found


def firing_parents(org: models.Model | int) -> list[Parent]:
    """Return the org's firing alerts, as those they hold back need to know them."""
    rows = Alert.objects.for_org(org).filter(state__in=_FIRING)
    columns = rows.order_by("active_at").values_list(
        "rule__group__name",
        "rule__name",
        "fingerprint",
        "labels",
        "fired_at",
        "active_at",
        "rule__group__interval_ms",
    )
    return [
        Parent(
            ref=(group or "", rule or ""),
            fingerprint=fingerprint,
            labels=labels,
            fired_at=fired_at or active_at,
            began_at=active_at - timedelta(milliseconds=interval_ms or 0),
        )
        for group, rule, fingerprint, labels, fired_at, active_at, interval_ms in columns
    ]


def blocking(
    fingerprint: str,
    ref: RuleRef,
    labels: Mapping[str, str],
    starts_at: datetime,
    *,
    graph: Graph,
    of: ParentIndex,
) -> list[Parent]:
    """Return the first parents that hold one alert back, each once.

    An alert is never its own parent, and one that itself fits the matchers of a dependency
    without a rule's name is no child by it: else two of them would hold each other back.
    """
    found: dict[tuple[RuleRef, str], Parent] = {}
    for dependency in ancestors_of(ref, graph):
        if not dependency.names_rules and dependency.is_met(labels, labels):
            continue
        for parent in of.candidates(dependency, labels):
            if parent.fingerprint != fingerprint and starts_at >= parent.began_at:
                found.setdefault((parent.ref, parent.fingerprint), parent)
            if len(found) >= MOST_BLOCKS:
                return list(found.values())
    return list(found.values())
