"""What a rule depends on, as users write it: names of rules or groups, or matchers of alerts.

A dependency is a rule's name, or a map of ``rule``, ``group``, ``matchers`` (such as
``severity="critical"``) and ``equal`` (labels that must be the same on both alerts).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

from detectviz.promql.errors import PromqlError
from detectviz.promql.nodes import VectorSelector
from detectviz.promql.parser import parse
from detectviz.promql.patterns import matches
from detectviz.tsdb.interface import Matcher

MOST_DEPENDENCIES = 20
_FIELDS = frozenset({"rule", "group", "matchers", "equal"})

Problems = dict[str, list[str]]
RuleRef: TypeAlias = tuple[str, str]
"""A rule by its group's name and its own."""


@dataclass(frozen=True, slots=True)
class Dependency:
    """Alerts that hold others back while they fire; what is empty is not asked."""

    rule: str = ""
    group: str = ""
    matchers: tuple[Matcher, ...] = ()
    equal: tuple[str, ...] = ()

    @property
    def names_rules(self) -> bool:
        """Whether it says which rules it means, and not only which alerts."""
        return bool(self.rule or self.group)

    def is_of(self, ref: RuleRef) -> bool:
        """Tell whether it means the alerts of a rule."""
        group, rule = ref
        return self.rule in {"", rule} and self.group in {"", group}

    def is_met(self, parent: Mapping[str, str], child: Mapping[str, str]) -> bool:
        """Tell whether the labels of an alert make it a parent of one with others."""
        return all(matches(one, parent.get(one.name, "")) for one in self.matchers) and all(
            parent.get(name, "") == child.get(name, "") for name in self.equal
        )


def dependency_of(entry: str | Mapping[str, Any]) -> Dependency:
    """Return a valid entry as a value."""
    if isinstance(entry, str):
        return Dependency(rule=entry)
    return Dependency(
        rule=entry.get("rule", ""),
        group=entry.get("group", ""),
        matchers=_matchers(tuple(entry.get("matchers") or ())),
        equal=tuple(entry.get("equal") or ()),
    )


@lru_cache(maxsize=1024)
def _matchers(texts: tuple[str, ...]) -> tuple[Matcher, ...]:
    """Return matchers as PromQL reads them; raise PromqlError."""
    if not texts:
        return ()
    node = parse("{" + ",".join(texts) + "}")
    return tuple(node.matchers) if isinstance(node, VectorSelector) else ()


def dependency_problems(entries: object) -> Problems:
    """Return what is wrong with a rule's ``depends_on``; empty when nothing is."""
    if entries is None:
        return {}
    if not isinstance(entries, Sequence) or isinstance(entries, str):
        return {"depends_on": ["Must be a list: names of rules, or maps of rule, group, matchers."]}
    if len(entries) > MOST_DEPENDENCIES:
        return {"depends_on": [f"At most {MOST_DEPENDENCIES} entries."]}
    return {
        f"depends_on[{place}]": [problem]
        for place, entry in enumerate(entries)
        if (problem := _entry_problem(entry)) is not None
    }


def _entry_problem(entry: object) -> str | None:
    if isinstance(entry, str):
        return None if entry.strip() else "Write the name of a rule."
    if not isinstance(entry, Mapping):
        return "Must be the name of a rule, or a map of rule, group, matchers and equal."
    unknown = sorted(str(name) for name in entry.keys() - _FIELDS)
    if unknown:
        return f"Unknown field {unknown[0]}. Known fields: {', '.join(sorted(_FIELDS))}."
    if not any(entry.get(name) for name in ("rule", "group", "matchers")):
        return "Say which alerts: by rule, group or matchers."
    if not all(isinstance(entry.get(name, ""), str) for name in ("rule", "group")):
        return "rule and group are names."
    for name in ("matchers", "equal"):
        value = entry.get(name) or []
        if not isinstance(value, Sequence) or not all(isinstance(one, str) for one in value):
            return f"{name} must be a list of texts."
    try:
        _matchers(tuple(entry.get("matchers") or ()))
    except PromqlError as error:
        return f'matchers such as severity="critical": {error}'
    return None


Graph: TypeAlias = Mapping[RuleRef, Sequence[Dependency]]


def ancestors_of(ref: RuleRef, graph: Graph) -> Iterator[Dependency]:
    """Yield what a rule depends on, itself or through others; each rule is followed once."""
    seen, waiting = {ref}, [ref]
    while waiting:
        for dependency in graph.get(waiting.pop(), ()):
            yield dependency
            if not dependency.names_rules:
                continue
            parents = [one for one in graph if one not in seen and dependency.is_of(one)]
            seen.update(parents)
            waiting += parents


def dependency_cycle(refs: Iterable[RuleRef], graph: Graph) -> list[RuleRef]:
    """Return the first way from one of ``refs`` back to itself, empty when there is none."""
    for ref in refs:
        path = _way_back(ref, ref, graph, {ref})
        if path:
            return [ref, *path]
    return []


def _way_back(at: RuleRef, goal: RuleRef, graph: Graph, seen: set[RuleRef]) -> list[RuleRef]:
    for dependency in graph.get(at, ()):
        if not dependency.names_rules:
            continue
        if dependency.is_of(goal):
            return [goal]
        for parent in graph:
            if parent in seen or not dependency.is_of(parent):
                continue
            seen.add(parent)
            path = _way_back(parent, goal, graph, seen)
            if path:
                return [parent, *path]
    return []
