"""A quieter ``for`` or threshold for a rule, computed from what its expression did.

One backtest without ``for`` finds every time the expression held; what another ``for`` or
threshold leaves of them is counted. What is proposed is run through a backtest of its own.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from apps.alerting.enums import HandlingAction
from apps.alerting.models import HandlingEvent, RuleGroup
from apps.alerting.services.backtests import MOST_SLOTS, Backtest, Firing, rule_backtest
from apps.alerting.services.fingerprints import fingerprint
from apps.alerting.services.previews import threshold_of
from apps.alerting.services.schedule import slot_offset_ms
from detectviz.contracts.durations import format_duration, parse_duration_ms
from detectviz.contracts.types import JsonObject
from detectviz.promql import nodes
from detectviz.promql.formatting import format_expression
from detectviz.promql.parser import parse
from detectviz.resources.errors import InvalidFieldsError

DEFAULT_WINDOW = timedelta(days=7)
FOR_STEPS_S = (0, 30, 60, 120, 300, 600, 900, 1800, 3600)
LONGEST_PROPOSED_S = 900  # later than this a page is no longer an early word
WORTH = 0.8  # of what can be avoided: the shortest step that reaches it is proposed
_BELOW = frozenset({"<", "<="})
_ORDERINGS = frozenset({"<", "<=", ">", ">="})


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeOff:
    """What a ``for`` would have meant: ``avoided`` firings, and the rest ``later_s`` later.

    ``missed`` are those of the avoided that somebody acted on.
    """

    for_s: float
    firings: int
    avoided: int
    missed: int
    later_s: float

    @property
    def for_text(self) -> str:
        """The duration as a rule has it."""
        return format_duration(self.for_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A change to a rule, and how often it fires with it, by a backtest of its own."""

    value: str  # a duration, or an expression
    firings: int
    avoided: int
    later_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What would make a rule quieter; None where nothing would without missing what mattered.

    ``firings`` is how often it fires as it is. ``acted_on`` counts the times the expression held
    and somebody did something about it. ``is_cut``: more firings than are looked at.
    """

    start: datetime
    end: datetime
    rule: str
    for_s: float
    firings: int
    acted_on: int
    trade_offs: tuple[TradeOff, ...]
    proposed_for: Candidate | None
    proposed_expr: Candidate | None
    is_cut: bool


def rule_proposal(
    *, group: RuleGroup, rule_name: str, now: datetime, window: timedelta = DEFAULT_WINDOW
) -> Proposal:
    """Look for a better ``for`` and threshold over the window. Change nothing.

    Raise InvalidFieldsError for a rule that asks datasources, or that holds too often to replay.
    """
    rule = next((one for one in group.spec_rules if one.get("alert") == rule_name), None)
    if rule is None:
        message = f"The group has no alerting rule {rule_name!r}."
        raise InvalidFieldsError({"rule": [message]})
    return _Search(group=group, rule=rule, now=now, window=window).proposal()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """One time the expression held for a series; ``length_s`` is infinite while it does."""

    length_s: float
    peak: float
    is_wanted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Search:
    group: RuleGroup
    rule: dict[str, Any]
    now: datetime
    window: timedelta

    @property
    def for_s(self) -> float:
        return parse_duration_ms(self.rule.get("for") or "0") / 1000

    def proposal(self) -> Proposal:
        found = self._run({"for": "0s"})
        handled = self._handled(found.start)
        held = [_held(one, handled) for one in found.firings]
        choices = sorted({*FOR_STEPS_S, self.for_s})
        firings = sum(one.length_s >= self.for_s for one in held)
        trade_offs = tuple(self._trade_off(held, each) for each in choices)
        return Proposal(
            start=found.start,
            end=found.end,
            rule=self.rule["alert"],
            for_s=self.for_s,
            firings=firings,
            acted_on=sum(one.is_wanted for one in held),
            trade_offs=trade_offs,
            proposed_for=self._better_for(trade_offs, firings),
            proposed_expr=self._better_threshold(held, firings),
            is_cut=found.total > len(found.firings),
        )

    def _run(self, change: dict[str, str]) -> Backtest:
        """Replay the rule as its group runs it, less often where these were too many slots."""
        least_ms = -(-int(self.window.total_seconds() * 1000) // MOST_SLOTS)
        interval_ms = -(-least_ms // self.group.interval_ms) * self.group.interval_ms
        return rule_backtest(
            tenant=self.group.org,
            rule={**self.rule, **change},
            start=self.now - self.window,
            end=self.now,
            interval_ms=interval_ms,
            shared_labels=self.group.shared_labels,
            query_offset_ms=self.group.query_offset_ms,
            slot_offset_ms=slot_offset_ms(self.group.uid, interval_ms),
        )

    def _handled(self, since: datetime) -> list[tuple[str, datetime]]:
        """Return which alerts of the rule somebody did something about, and when."""
        rows = HandlingEvent.objects.for_org(self.group.org_id).filter(
            group_name=self.group.name, rule_name=self.rule["alert"], at__gte=since
        )
        given = rows.exclude(action__in=(HandlingAction.UNACKNOWLEDGE, HandlingAction.UNSNOOZE))
        return list(given.values_list("fingerprint", "at"))

    def _trade_off(self, held: Sequence[_Held], for_s: float) -> TradeOff:
        lost = [one for one in held if self.for_s <= one.length_s < for_s]
        return TradeOff(
            for_s=for_s,
            firings=sum(one.length_s >= for_s for one in held),
            avoided=len(lost),
            missed=sum(one.is_wanted for one in lost),
            later_s=for_s - self.for_s,
        )

    def _better_for(self, trade_offs: Sequence[TradeOff], firings: int) -> Candidate | None:
        """Return the shortest ``for`` that avoids most of what one can, missing nothing."""
        able = [
            one
            for one in trade_offs
            if one.avoided and not one.missed and one.for_s <= LONGEST_PROPOSED_S
        ]
        if not able:
            return None
        enough = WORTH * max(one.avoided for one in able)
        best = next(one for one in able if one.avoided >= enough)
        left = self._run({"for": best.for_text}).total
        return Candidate(
            value=best.for_text, firings=left, avoided=firings - left, later_s=best.later_s
        )

    def _better_threshold(self, held: Sequence[_Held], firings: int) -> Candidate | None:
        """Return the rule with a threshold most of the untouched firings never reached."""
        expression = parse(self.rule["expr"])
        threshold = threshold_of(expression)
        firing = [one for one in held if one.length_s >= self.for_s]
        if threshold is None or threshold.operator not in _ORDERINGS or not firing:
            return None
        sign = -1.0 if threshold.operator in _BELOW else 1.0
        value = _farther(firing, sign)
        if value is None or value * sign <= threshold.value * sign:
            return None
        expr = _with_threshold(expression, value)
        left = self._run({"expr": expr}).total
        if left >= firings:
            return None
        return Candidate(value=expr, firings=left, avoided=firings - left, later_s=0.0)


def _held(firing: Firing, handled: Sequence[tuple[str, datetime]]) -> _Held:
    ended = firing.resolved_at
    mine = fingerprint(firing.labels)
    return _Held(
        length_s=(ended - firing.active_at).total_seconds() if ended else math.inf,
        peak=firing.peak,
        is_wanted=any(
            alert == mine and firing.active_at <= at and (ended is None or at <= ended)
            for alert, at in handled
        ),
    )


def _farther(firing: Sequence[_Held], sign: float) -> float | None:
    """Return a short number beyond most untouched peaks and before every peak that mattered."""
    untouched = sorted(one.peak * sign for one in firing if not one.is_wanted)
    wanted = [one.peak * sign for one in firing if one.is_wanted]
    if not untouched:
        return None
    chosen = untouched[math.ceil(WORTH * len(untouched)) - 1]
    least = min(wanted, default=math.inf)
    if chosen >= least:
        below = [peak for peak in untouched if peak < least]
        if not below:
            return None
        chosen = below[-1]
    if not math.isfinite(chosen):
        return None
    short = _rounded_up(chosen)
    return (short if short < least else chosen) * sign


def _rounded_up(value: float) -> float:
    """Return the next number of two digits that is not less."""
    if value == 0:
        return 0.0
    unit = 10.0 ** (math.floor(math.log10(abs(value))) - 1)
    return float(f"{math.ceil(value / unit) * unit:.12g}")


def _with_threshold(expression: nodes.Expression, value: float) -> str:
    """Write the comparison at the top with another number."""
    node = nodes.unwrap(expression)
    assert isinstance(node, nodes.Binary)
    number = nodes.NumberLiteral(value=value, span=node.span)
    compared = threshold_of(expression)
    is_right = compared is not None and compared.expression is node.left
    changed = replace(node, right=number) if is_right else replace(node, left=number)
    return format_expression(changed)


def rule_proposal_json(found: Proposal) -> JsonObject:
    """Return a proposal for an answer."""
    return {
        "rule": found.rule,
        "start": found.start.isoformat(),
        "end": found.end.isoformat(),
        "for": format_duration(found.for_s),
        "firings": found.firings,
        "acted_on": found.acted_on,
        "is_cut": found.is_cut,
        "trade_offs": [
            {
                "for": one.for_text,
                "firings": one.firings,
                "avoided": one.avoided,
                "missed": one.missed,
                "later_s": one.later_s,
            }
            for one in found.trade_offs
        ],
        "proposed_for": _candidate_json(found.proposed_for),
        "proposed_expr": _candidate_json(found.proposed_expr),
    }


def _candidate_json(found: Candidate | None) -> JsonObject | None:
    if found is None:
        return None
    return {
        "value": found.value,
        "firings": found.firings,
        "avoided": found.avoided,
        "later_s": found.later_s,
    }
