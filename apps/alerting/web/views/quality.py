"""Rule quality: which rules are worth their noise, and what would make them quieter."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse, QueryDict
from django.urls import reverse

from apps.alerting.models import Rule
from apps.alerting.selectors import rule_get, rulegroup_plain_list
from apps.alerting.services.quality_requests import window_of, zone_of
from apps.alerting.services.rule_proposals import DEFAULT_WINDOW, Proposal, rule_proposal
from apps.alerting.services.rule_quality import RuleQuality, rule_quality_list
from detectviz.clock import utc_now
from detectviz.resources.errors import InvalidFieldsError, NotFoundError
from detectviz.web.pages import Pager, PageRequest, render_page
from detectviz.web.scope import OrgScope, org_page

PER_PAGE = 50
_SORTS: dict[str, Callable[[RuleQuality], Any]] = {
    "rule": lambda row: (row.rule.lower(), row.group),
    "firings": lambda row: row.firings,
    "precision": lambda row: row.precision,
    "acknowledge": lambda row: row.acknowledge_s,
    "night": lambda row: row.night,
    "flap": lambda row: row.flap_index,
    "mean": lambda row: row.mean_s,
    "told": lambda row: row.notifications,
}
_COLUMNS = (
    ("rule", "Rule"),
    ("firings", "Firings"),
    ("precision", "Precision"),
    ("acknowledge", "Acknowledged after"),
    ("night", "At night"),
    ("flap", "Flap index"),
    ("mean", "Lasts"),
    ("told", "Told"),
)
_DEFAULT_SORT = "-firings"
_WINDOWS = ("1d", "7d", "30d", "90d")


@dataclass(frozen=True)
class Column:
    """The head of a column; ``direction`` is empty where the table is not sorted by it."""

    name: str
    title: str
    direction: str
    url: str


@dataclass(frozen=True)
class QualityPage:
    """All alerting rules the user may read, sorted as the query string says."""

    scope: OrgScope
    query: QueryDict

    @cached_property
    def sort(self) -> str:
        """The column to sort by, after ``-`` when the largest is first."""
        wanted = self.query.get("sort", "")
        return wanted if wanted.removeprefix("-") in _SORTS else _DEFAULT_SORT

    @property
    def windows(self) -> tuple[str, ...]:
        """The windows to choose from."""
        return _WINDOWS

    @cached_property
    def window(self) -> str:
        """The window asked for, as a duration."""
        return self.query.get("window", "") or "30d"

    @property
    def zone(self) -> str:
        """By whose clocks a night is one: as asked for, else the org's."""
        return self.query.get("tz", "") or str(self.scope.org.time_zone)

    @cached_property
    def all_rows(self) -> list[RuleQuality]:
        """Every rule; what has nothing to sort by stands last."""
        parameters = self.query.dict()
        groups = self.scope.access.filter(rulegroup_plain_list(self.scope.org), "rulegroups:read")
        rows = rule_quality_list(
            org=self.scope.org,
            groups=groups,
            now=utc_now(),
            window=window_of(parameters),  # type: ignore[arg-type]  # no key comes twice
            zone=zone_of({"tz": self.zone}, default="UTC"),
        )
        key = _SORTS[self.sort.removeprefix("-")]
        known = [row for row in rows if key(row) is not None]
        known.sort(key=key, reverse=self.sort.startswith("-"))
        return [*known, *(row for row in rows if key(row) is None)]

    @cached_property
    def pager(self) -> Pager:
        """Where in the list this page stands."""
        return Pager.of(self.query, count=len(self.all_rows), per_page=PER_PAGE)

    @property
    def rows(self) -> list[RuleQuality]:
        """The rules of this page."""
        return self.all_rows[self.pager.offset : self.pager.offset + PER_PAGE]

    @property
    def columns(self) -> list[Column]:
        """The heads; a click sorts by it, the largest first, a second one turns it round."""
        return [self._column(name, title) for name, title in _COLUMNS]

    def _column(self, name: str, title: str) -> Column:
        is_mine = self.sort.removeprefix("-") == name
        is_down = self.sort.startswith("-")
        wanted = name if (is_mine and is_down) or (name == "rule" and not is_mine) else f"-{name}"
        query = self.query.copy()
        query.pop("page", None)
        query["sort"] = wanted
        direction = ("descending" if is_down else "ascending") if is_mine else ""
        return Column(name, title, direction, f"?{query.urlencode()}")


@dataclass(frozen=True)
class ProposalPage:
    """What would make one rule quieter."""

    scope: OrgScope
    rule: Rule
    found: Proposal | None = None
    problems: tuple[str, ...] = ()

    @property
    def may_update(self) -> bool:
        """Return whether the user may take the proposal over."""
        group = self.rule.group
        return not group.owner and self.scope.can("rulegroups:update", group)

    @property
    def for_url(self) -> str:
        """The editor with the proposed ``for``."""
        assert self.found is not None
        return self._editor("for", self.found.proposed_for)

    @property
    def expr_url(self) -> str:
        """The editor with the proposed threshold."""
        assert self.found is not None
        return self._editor("expr", self.found.proposed_expr)

    def _editor(self, name: str, candidate: Any) -> str:
        if candidate is None:
            return ""
        base = reverse("alerting:rulegroup-edit", args=[self.scope.org.name, self.rule.group.name])
        return f"{base}?{urlencode({'rule': self.rule.name, name: candidate.value})}"


@org_page("rulegroups:read")
def quality_page(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Show how good the rules are."""
    page = QualityPage(scope, request.GET)
    fragment = "alerting/partials/_rulequality_list.html"
    return render_page(request, "alerting/rulequality_list.html", page, fragment=fragment)


@org_page("rulegroups:read")
def proposal_page(request: PageRequest, scope: OrgScope, *, uid: str) -> HttpResponse:
    """Show what would make a rule quieter."""
    rule = rule_get(scope.org, uid)
    if rule is None:
        raise NotFoundError
    scope.access.require("rulegroups:read", rule.group)
    scope.access.require("series:read")
    try:
        window = window_of(request.GET.dict(), DEFAULT_WINDOW)
        found = rule_proposal(group=rule.group, rule_name=rule.name, now=utc_now(), window=window)
        page = ProposalPage(scope, rule, found)
    except InvalidFieldsError as error:
        told = tuple(f"{name}: {' '.join(text)}" for name, text in error.fields.items())
        page = ProposalPage(scope, rule, problems=told)
    fragment = "alerting/partials/_rulequality_proposal.html"
    return render_page(request, "alerting/rulequality_proposal.html", page, fragment=fragment)
