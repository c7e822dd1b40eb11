"""Which firing alerts are held back because what they depend on is down.

Evaluation knows nothing of it, and a resolve is never held back: this is asked only when it is
decided whom to tell. An alert that fired before its parent's failure can have begun is left alone.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
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
    org: models.Model | int, alerts: Alerts, book: DependencyBook
) -> dict[str, list[Block]]:
    """Return what holds firing alerts back, by fingerprint; those that are free are left out.

    Monitors are known by the label ``monitor``, rules by the alerts' rows. A handful of queries,
    whatever the number, and none where nothing depends on anything.
    """
    blocks: dict[str, list[Block]] = {}
    for fingerprint, block in [*_of_monitors(org, alerts, book), *_of_rules(org, alerts, book)]:
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
    org: models.Model | int, alerts: Alerts, book: DependencyBook
) -> list[tuple[str, Block]]:
    graph = book.rules
    if not graph:
        return []
    children = _rules_of(org, alerts.keys())
    children = {key: ref for key, ref in children.items() if ref in graph}
    if not children:
        return []
    parents = firing_parents(org)
    found: list[tuple[str, Block]] = []
    for fingerprint, ref in children.items():
        labels, starts_at = alerts[fingerprint]
        for parent in blocking(fingerprint, ref, labels, graph=graph, parents=parents):
            if starts_at >= parent.began_at:
                name = parent.labels.get("alertname", parent.ref[1])
                detail = f"{name} is firing" + (f" ({parent.ref[0]})" if parent.ref[0] else "")
                found.append((fingerprint, Block(name=name, detail=detail, since=parent.fired_at)))
    return found


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
    *,
    graph: Graph,
    parents: Sequence[Parent],
) -> list[Parent]:
    """Return the parents that hold one alert back, each once.

    An alert is never its own parent, and one that itself fits the matchers of a dependency
    without a rule's name is no child by it: else two of them would hold each other back.
    """
    found: dict[tuple[RuleRef, str], Parent] = {}
    for dependency in ancestors_of(ref, graph):
        if not dependency.names_rules and dependency.is_met(labels, labels):
            continue
        for parent in parents:
            if parent.fingerprint == fingerprint or not dependency.is_of(parent.ref):
                continue
            if dependency.is_met(parent.labels, labels):
                found.setdefault((parent.ref, parent.fingerprint), parent)
    return list(found.values())
