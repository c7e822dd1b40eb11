"""Creating and editing a rule group, and trying one of its rules."""

import json
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from csp.constants import NONCE
from csp.decorators import csp_update
from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_POST

from apps.alerting.models import RuleGroup
from apps.alerting.services.condition_previews import ConditionPreview, condition_preview
from apps.alerting.services.previews import Preview, rule_preview
from apps.alerting.web.forms import (
    document_of,
    document_propose,
    group_fields,
    rule_of,
    shown_errors,
    spec_of,
)
from apps.alerting.web.views.rulegroups import group_of, rulegroup_kind
from detectviz.clock import utc_now
from detectviz.resources.errors import InvalidFieldsError
from detectviz.web.charts import Chart, ChartSeries, Threshold
from detectviz.web.forms import BoundField, Errors, SchemaForm
from detectviz.web.pages import PageRequest, go_to, render_page
from detectviz.web.parsing import parse_form
from detectviz.web.scope import OrgScope, org_page
from detectviz.web.writes import form_save

_FORM = "alerting/partials/_rulegroup_form.html"
_SHOWN_LABELS = 3
_EDITOR = {"style-src": [NONCE]}  # the code editor brings its own style sheet


@dataclass(frozen=True, kw_only=True)
class RuleGroupFormPage:
    """The form: of a new group, or of ``group``."""

    scope: OrgScope
    group: RuleGroup | None = None
    document: dict[str, Any] | None = None
    errors: Errors | None = None

    @cached_property
    def stored(self) -> dict[str, Any]:
        """The spec as stored, empty for a new group."""
        return dict(rulegroup_kind().to_spec(self.group)) if self.group else {}

    @property
    def may_backtest(self) -> bool:
        """Whether what series were may be read."""
        return self.scope.access.allows("series:read")

    @cached_property
    def form(self) -> SchemaForm:
        """All fields with what was submitted, else with what is stored."""
        document = self.document or document_of(self.group, self.stored)
        fields = group_fields(is_new=self.group is None)
        return SchemaForm(fields, document, shown_errors(self.errors or {}))

    @cached_property
    def head(self) -> SchemaForm:
        """The fields around the rules."""
        return replace(
            self.form, fields=tuple(each for each in self.form.fields if each.name != "rules")
        )

    @cached_property
    def rules(self) -> BoundField:
        """The rules, drawn one by one with a preview each."""
        return next(each for each in self.form.bound if each.name == "rules")


@dataclass(frozen=True)
class RulePreviewPage:
    """What a rule would do now."""

    scope: OrgScope
    preview: Preview | None
    problems: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """The outcome in words."""
        assert self.preview is not None
        if self.preview.total:
            series = "one series" if self.preview.total == 1 else f"{self.preview.total} series"
            return f"Holds now for {series}"
        if self.preview.has_data:
            return "Does not hold now"
        return "There is no data for this expression"

    @property
    def tone(self) -> str:
        """The state whose colour fits."""
        assert self.preview is not None
        return "firing" if self.preview.total else "ok" if self.preview.has_data else "unknown"

    @cached_property
    def chart(self) -> str:
        """The picture of the expression and its threshold, for the chart."""
        assert self.preview is not None
        found = self.preview
        limit = found.threshold
        mark = f"{found.operator} {limit:g}" if limit is not None else ""
        chart = Chart(
            times=[at / 1000 for at in found.timestamps_ms],
            series=[
                ChartSeries(label=line_label(line.labels), values=line.values)
                for line in found.lines
            ],
            thresholds=[] if limit is None else [Threshold(value=limit, label=mark)],
            empty="No series in the last hour.",
        )
        return json.dumps(json.loads(chart.response().content))


@dataclass(frozen=True)
class ConditionPreviewPage:
    """What a rule that asks datasources says now."""

    scope: OrgScope
    preview: ConditionPreview

    @property
    def sentence(self) -> str:
        """The outcome in words."""
        if not self.preview.total:
            return "There is no data for the condition"
        return f"Holds now for {self.preview.firing} of {self.preview.total}"

    @property
    def tone(self) -> str:
        """The state whose colour fits."""
        found = self.preview
        return "firing" if found.firing else "ok" if found.total else "unknown"


@csp_update(_EDITOR)
@org_page("rulegroups:create")
def rulegroup_create(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Show the form of a new group and take it."""
    page = RuleGroupFormPage(scope=scope)
    if request.method == "POST":
        scope.access.require("rulegroups:create")
        return _save(request, page)
    return render_page(request, "alerting/rulegroup_edit.html", page, fragment=_FORM)


@csp_update(_EDITOR)
@org_page("rulegroups:update")
def rulegroup_edit(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Show the form of a stored group and take it."""
    page = RuleGroupFormPage(scope=scope, group=group_of(scope, name, "rulegroups:update"))
    if request.method == "POST":
        return _save(request, page)
    if page.group and "rule" in request.GET:
        asked = {key: str(text) for key, text in request.GET.items()}
        shown = document_propose(document_of(page.group, page.stored), asked)
        page = replace(page, document=shown)
    return render_page(request, "alerting/rulegroup_edit.html", page, fragment=_FORM)


@require_POST
@org_page("rulegroups:read")
def rule_try(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Show what one rule of the submitted form (``preview=rules/0``) would do now."""
    rule = chosen_rule(request)
    try:
        if "queries" in rule:
            asked = condition_preview(
                org=scope.org, access=scope.access, rule={**rule, "alert": "Preview"}, at=utc_now()
            )
            found = ConditionPreviewPage(scope, asked)
            return render_page(request, "alerting/partials/_condition_preview.html", found)
        preview = rule_preview(tenant=scope.org, rule={**rule, "alert": "Preview"}, at=utc_now())
        page = RulePreviewPage(scope, preview)
    except InvalidFieldsError as error:
        told = tuple(f"{name}: {' '.join(text)}" for name, text in error.fields.items())
        page = RulePreviewPage(scope, None, told)
    return render_page(request, "alerting/partials/_rule_preview.html", page)


def chosen_rule(request: PageRequest) -> dict[str, Any]:
    """Return the rule of the submitted form that ``preview`` names, as an alerting one."""
    chosen = request.POST.copy()
    for key in list(chosen):
        if key != "~rules" and not key.startswith(f"{request.POST.get('preview', '')}/"):
            del chosen[key]
    document: Any = parse_form(group_fields(is_new=True), chosen)
    rule = rule_of((document.get("rules") or [{}])[0])
    rule.pop("record", None)
    return rule


def _save(request: PageRequest, page: RuleGroupFormPage) -> HttpResponse:
    document: Any = parse_form(group_fields(is_new=True), request.POST)
    name = page.group.name if page.group else document.get("name", "")
    version = request.POST.get("resource_version", "")
    errors = form_save(
        page.scope,
        rulegroup_kind(),
        mode="update" if page.group else "create",
        name=name,
        spec=spec_of(document, page.stored),
        resource_version=int(version) if version.isdecimal() else None,
    )
    if errors:
        failed = replace(page, document=document, errors=errors)
        return render_page(
            request, "alerting/rulegroup_edit.html", failed, fragment=_FORM, status=422
        )
    target = reverse("alerting:rulegroup-detail", args=[page.scope.org.name, name])
    return go_to(request, target, said=f"{name} is saved.")


def line_label(labels: Any) -> str:
    shown = {key: value for key, value in labels.items() if key != "__name__"}
    named = [f"{key}={value}" for key, value in list(shown.items())[:_SHOWN_LABELS]]
    return ", ".join(named) or labels.get("__name__", "value")
