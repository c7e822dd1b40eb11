"""Relabelling, as Prometheus' ``model/relabel``: rules in order, each on the labels so far."""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import re2

from detectviz.contracts.config import get_int, get_text, get_texts
from detectviz.contracts.errors import ConfigurationError
from detectviz.contracts.types import JsonObject

_REFERENCE: Final = re.compile(r"\$(?:\$|\{(\w+)\}|(\w+))")  # noqa: TID251 - our own constant
_WANT_TARGET: Final = frozenset(
    {"replace", "hashmod", "lowercase", "uppercase", "keepequal", "dropequal"}
)


class _Match(Protocol):
    """What is used of a match of RE2."""

    def group(self, reference: int | str, /) -> str | None:
        """Return what a group matched."""


class _Pattern(Protocol):
    """What is used of a compiled RE2 pattern."""

    groups: int
    groupindex: Mapping[str, int]

    def fullmatch(self, text: str, /) -> _Match | None:
        """Match all of ``text``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One relabel_config."""

    action: str
    source_labels: tuple[str, ...]
    separator: str
    target_label: str
    pattern: _Pattern
    replacement: str
    modulus: int

    def source(self, labels: Mapping[str, str]) -> str:
        """Return the values of the source labels, joined."""
        return self.separator.join(labels.get(name, "") for name in self.source_labels)


def read_rules(entries: Sequence[JsonObject], field: str) -> tuple[Rule, ...]:
    """Read ``relabel_configs``; raise ConfigurationError naming the rule."""
    return tuple(_rule(entry, f"/{field}/{place}") for place, entry in enumerate(entries))


def relabel(labels: Mapping[str, str], rules: Sequence[Rule]) -> dict[str, str] | None:
    """Return the labels after all rules, None when one drops them. Empty values are no labels."""
    result = {name: value for name, value in labels.items() if value}
    for rule in rules:
        if not _ACTIONS[rule.action](rule, result):
            return None
    return result


def _rule(entry: JsonObject, field: str) -> Rule:
    action = get_text(entry, "action", "replace").lower()
    target, modulus = get_text(entry, "target_label"), get_int(entry, "modulus")
    if action in _WANT_TARGET and not target:
        raise ConfigurationError(f"{action} needs a target_label.", field=f"{field}/target_label")
    if action == "hashmod" and modulus < 1:
        raise ConfigurationError("hashmod needs a modulus above 0.", field=f"{field}/modulus")
    text = get_text(entry, "regex", "(.*)")
    try:
        pattern: _Pattern = re2.compile(f"(?s:{text})")
    except re2.error as error:
        raise ConfigurationError(
            f"The regex {text!r} is not RE2: {error}", field=f"{field}/regex"
        ) from error
    return Rule(
        action=action,
        source_labels=get_texts(entry, "source_labels"),
        separator=get_text(entry, "separator", ";"),
        target_label=target,
        pattern=pattern,
        replacement=get_text(entry, "replacement", "$1"),
        modulus=modulus,
    )


def _replace(rule: Rule, labels: dict[str, str]) -> bool:
    found = rule.pattern.fullmatch(rule.source(labels))
    if found is not None:
        target = _expand(rule.target_label, found, rule.pattern)
        if target:
            _set(labels, target, _expand(rule.replacement, found, rule.pattern))
    return True


def _keep(rule: Rule, labels: dict[str, str]) -> bool:
    return rule.pattern.fullmatch(rule.source(labels)) is not None


def _drop(rule: Rule, labels: dict[str, str]) -> bool:
    return not _keep(rule, labels)


def _keep_equal(rule: Rule, labels: dict[str, str]) -> bool:
    return labels.get(rule.target_label, "") == rule.source(labels)


def _drop_equal(rule: Rule, labels: dict[str, str]) -> bool:
    return not _keep_equal(rule, labels)


def _hashmod(rule: Rule, labels: dict[str, str]) -> bool:
    # Prometheus takes the last eight bytes of the MD5; nothing secret hangs on it.
    digest = hashlib.md5(rule.source(labels).encode(), usedforsecurity=False).digest()
    _set(labels, rule.target_label, str(int.from_bytes(digest[8:], "big") % rule.modulus))
    return True


def _lowercase(rule: Rule, labels: dict[str, str]) -> bool:
    _set(labels, rule.target_label, rule.source(labels).lower())
    return True


def _uppercase(rule: Rule, labels: dict[str, str]) -> bool:
    _set(labels, rule.target_label, rule.source(labels).upper())
    return True


def _labelmap(rule: Rule, labels: dict[str, str]) -> bool:
    for name, value in list(labels.items()):
        found = rule.pattern.fullmatch(name)
        if found is not None:
            _set(labels, _expand(rule.replacement, found, rule.pattern), value)
    return True


def _labeldrop(rule: Rule, labels: dict[str, str]) -> bool:
    for name in [each for each in labels if rule.pattern.fullmatch(each) is not None]:
        del labels[name]
    return True


def _labelkeep(rule: Rule, labels: dict[str, str]) -> bool:
    for name in [each for each in labels if rule.pattern.fullmatch(each) is None]:
        del labels[name]
    return True


_ACTIONS: Final[Mapping[str, Callable[[Rule, dict[str, str]], bool]]] = {
    "replace": _replace,
    "keep": _keep,
    "drop": _drop,
    "keepequal": _keep_equal,
    "dropequal": _drop_equal,
    "hashmod": _hashmod,
    "lowercase": _lowercase,
    "uppercase": _uppercase,
    "labelmap": _labelmap,
    "labeldrop": _labeldrop,
    "labelkeep": _labelkeep,
}
ACTIONS: Final = tuple(_ACTIONS)


def _set(labels: dict[str, str], name: str, value: str) -> None:
    if value:
        if name:
            labels[name] = value
    else:
        labels.pop(name, None)


def _expand(template: str, found: _Match, pattern: _Pattern) -> str:
    """Return ``template`` with ``$1``, ``${name}`` and ``$$`` resolved, as Go's Regexp.Expand."""
    if "$" not in template:
        return template

    def resolve(reference: "re.Match[str]") -> str:
        name = reference.group(1) or reference.group(2)
        if name is None:
            return "$"
        if name.isdigit():
            number = int(name) if len(name) < 4 else pattern.groups + 1  # noqa: PLR2004 - no such group
            return (found.group(number) or "") if number <= pattern.groups else ""
        return (found.group(name) or "") if name in pattern.groupindex else ""

    return _REFERENCE.sub(resolve, template)
