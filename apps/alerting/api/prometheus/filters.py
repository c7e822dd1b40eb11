"""Which rules a request for rules means."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from apps.alerting.api.prometheus.serializers import file_of, labels_of
from apps.alerting.enums import RuleKind
from apps.alerting.models import Rule, RuleGroup
from detectviz.doors.parameters import ParameterError, Parameters
from detectviz.tsdb.interface import Matcher
from detectviz.tsdb.matching import compile_matcher

_KINDS = {"": None, "alert": RuleKind.ALERTING, "record": RuleKind.RECORDING}


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleFilters:
    """What is asked for; empty sets mean everything."""

    kind: RuleKind | None
    names: frozenset[str]
    groups: frozenset[str]
    files: frozenset[str]
    selectors: Sequence[Sequence[Matcher]]
    group_limit: int
    next_token: str

    @classmethod
    def of(cls, parameters: Parameters) -> "RuleFilters":
        """Read a request's."""
        kind = parameters.text("type").lower()
        if kind not in _KINDS:
            raise ParameterError.named("type", f'not supported value "{kind}"')
        limit, token = parameters.limit("group_limit"), parameters.text("group_next_token")
        if token and not limit:
            raise ParameterError.named(
                "group_limit", "group_limit needs to be set in order to paginate over the groups"
            )
        if parameters.text("group_limit") and not limit:
            raise ParameterError.named("group_limit", "group_limit needs to be greater than 0")
        return cls(
            kind=_KINDS[kind],
            names=frozenset(parameters.texts("rule_name[]")),
            groups=frozenset(parameters.texts("rule_group[]")),
            files=frozenset(parameters.texts("file[]")),
            selectors=parameters.selectors(),
            group_limit=limit,
            next_token=token,
        )

    def wants_group(self, group: RuleGroup) -> bool:
        """Tell whether a group may hold wanted rules."""
        is_named = not self.groups or group.name in self.groups
        return is_named and (not self.files or file_of(group) in self.files)

    def wants_rule(self, rule: Rule, group: RuleGroup) -> bool:
        """Tell whether a rule is wanted."""
        if not rule.is_enabled or (self.kind is not None and rule.kind != self.kind):
            return False
        if self.names and rule.name not in self.names:
            return False
        labels = labels_of(rule, group)
        return not self.selectors or any(
            all(compile_matcher(one).matches(labels.get(one.name, "")) for one in selector)
            for selector in self.selectors
        )

    def page(self, groups: Sequence[RuleGroup]) -> tuple[Sequence[RuleGroup], str]:
        """Return the groups of this page, and the token of the next one."""
        first = 0
        if self.next_token:
            tokens = [_token(group) for group in groups]
            if self.next_token not in tokens:
                raise ParameterError(
                    "invalid group_next_token: the group may have been renamed or deleted"
                )
            first = tokens.index(self.next_token)
        if not self.group_limit:
            return groups, ""
        rest = groups[first : first + self.group_limit + 1]
        is_last = len(rest) <= self.group_limit
        return rest[: self.group_limit], "" if is_last else _token(rest[self.group_limit])


def _token(group: RuleGroup) -> str:
    name = f"{file_of(group)};{group.name}"
    return hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()
