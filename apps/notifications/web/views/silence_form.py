"""The form of a silence: new, prefilled, edited, and what it would mute while one types."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from django.http import HttpResponse
from django.urls import reverse

from apps.alerting.selectors import alert_names, rule_get
from apps.notifications.models import Silence
from apps.notifications.selectors import silence_get
from apps.notifications.services.label_suggestions import label_values, rule_labels
from apps.notifications.services.matchers import MatcherError, canonical, parse_matchers
from apps.notifications.services.silence_names import common_matchers, silence_heading, silence_name
from apps.notifications.web.forms.silence_times import SPANS
from apps.notifications.web.forms.silences import (
    draft_spec,
    placed,
    silence_again,
    silence_answers,
    silence_blank,
    silence_fields,
    silence_read,
)
from apps.orgs.selectors import folder_get, folder_list, time_zone_of
from detectviz.clock import utc_now
from detectviz.contracts.durations import format_duration
from detectviz.contracts.types import JsonObject
from detectviz.resources.errors import NotFoundError
from detectviz.web.forms import BoundField, Errors, SchemaForm
from detectviz.web.pages import PageRequest, go_to, render_page, wants_fragment
from detectviz.web.parsing import parse_form
from detectviz.web.scope import OrgScope, org_page
from detectviz.web.writes import form_save, kind_of

_PAGE = "notifications/silence_edit.html"
_MOST_MATCHERS = 50
_MOST_OFFERED = 100
_MOST_CHARACTERS = 2048


@dataclass(frozen=True, kw_only=True)
class SilenceFormPage:
    """The form with what it holds; ``silence`` is None while it is new."""

    scope: OrgScope
    answers: JsonObject
    silence: Silence | None = None
    errors: Errors = field(default_factory=dict)
    is_own_clock: bool = False

    @cached_property
    def form(self) -> SchemaForm:
        """The fields with what they hold."""
        stored = self.silence.remind_before_ms if self.silence else 0
        remind = format_duration(stored / 1000) if stored else ""
        fields = silence_fields(self.folders, remind_before=remind)
        return SchemaForm(fields, self.answers, self.errors)

    @cached_property
    def fields(self) -> dict[str, BoundField]:
        """The fields by name."""
        return {each.name: each for each in self.form.bound}

    @cached_property
    def folders(self) -> list[str]:
        """Where the user may put it; empty for the whole org."""
        access, permission = self.scope.access, "silences:create"
        names = [one.name for one in folder_list(self.scope.org) if access.allows(permission, one)]
        stored = [_folder_name(self.silence)] if self.silence else []
        everywhere = [""] if access.allows(permission) else []
        return list(dict.fromkeys([*everywhere, *stored, *names]))

    @property
    def spans(self) -> Mapping[str, str]:
        """How long it may last, at one click."""
        return SPANS

    @property
    def heading(self) -> str:
        """What the page is for."""
        return f"Edit {silence_heading(self.silence)}" if self.silence else "New silence"

    @property
    def back(self) -> str:
        """Where Cancel leads."""
        if self.silence is None:
            return reverse("notifications:silence-list", args=[self.scope.org.name])
        return _detail_url(self.scope, self.silence.name)


@org_page("silences:create")
def silence_create(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Show the form, prefilled by the address, and take it."""
    if request.method == "POST":
        return _submitted(request, SilenceFormPage(scope=scope, answers={}))
    if wants_fragment(request):  # the bar of chosen alerts asks: go to the page instead
        return go_to(request, request.get_full_path())
    page = SilenceFormPage(scope=scope, answers=_prefilled(request, scope), is_own_clock=True)
    return render_page(request, _PAGE, page)


@org_page("silences:update")
def silence_edit(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Show the form of a silence and take it."""
    silence = silence_get(org=scope.org, name=name)
    scope.access.require("silences:update", silence)
    answers = silence_answers(silence, now=utc_now())
    page = SilenceFormPage(
        scope=scope, answers=answers, silence=silence, is_own_clock=not silence.rrule
    )
    if request.method == "POST":
        return _submitted(request, page)
    return render_page(request, _PAGE, page)


@org_page("silences:read")
def silence_values(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Complete a row of the form: names of labels, or values of the label that is named."""
    given = {key.rpartition("/")[2]: request.GET.get(key, "") for key in request.GET}
    known = label_values(org=scope.org, access=scope.access, now=utc_now())
    values = known.get(given.get("name", ""), set()) if given.get("ask") == "value" else set(known)
    typed = given.get(given.get("ask", "name"), "")[:_MOST_CHARACTERS].lower()
    offered = sorted(value for value in values if typed in value.lower())[:_MOST_OFFERED]
    return render_page(request, "notifications/partials/_silence_values.html", offered)


def _submitted(request: PageRequest, page: SilenceFormPage) -> HttpResponse:
    scope, silence, now = page.scope, page.silence, utc_now()
    answers = parse_form(page.form.fields, request.POST)
    draft, problems = silence_read(answers, now=now, stored=silence)
    folder = str(answers.get("folder", "")).replace("\x00", "")
    name = silence.name if silence else silence_name(draft)
    if not problems:
        _require_place(scope, folder, silence)
        refused = form_save(
            scope,
            kind_of("alerting/v1", "Silence"),
            mode="update" if silence else "create",
            name=name,
            spec=draft_spec(draft),
            folder=folder,
            resource_version=_version(request) if silence else None,
        )
        problems = placed(refused, is_recurring=bool(draft.rrule))
    if not problems:
        return go_to(request, _detail_url(scope, name), said="Saved.")
    failed = replace(page, answers=answers, errors=problems, is_own_clock=False)
    return render_page(request, _PAGE, failed, status=422)


def _prefilled(request: PageRequest, scope: OrgScope) -> dict[str, Any]:
    """Return the answers an address asks for: alerts, matchers, or a silence to copy."""
    query, now = request.GET, utc_now()
    if copied := query.get("copy"):
        silence = silence_get(org=scope.org, name=copied)
        scope.access.require("silences:read", silence)
        return silence_again(silence, now=now)
    texts = _canonical(query.getlist("matcher"), query.get("filter", ""))
    sets = [texts] if texts else []
    if names := query.getlist("alert")[:_MOST_MATCHERS]:
        chosen = scope.access.filter(alert_names(scope.org, names), "alerts:read")
        sets = common_matchers([alert.labels for alert in chosen])
    if (uid := query.get("rule")) and (rule := rule_get(scope.org, uid)) is not None:
        scope.access.require("rulegroups:read", rule.group)
        sets = common_matchers([rule_labels(rule)])
    answers = silence_blank(sets, now=now, location=time_zone_of(scope.org))
    answers["comment"] = query.get("comment", "")[:_MOST_CHARACTERS]
    if (span := query.get("for", "")) in SPANS:
        answers["span"] = span
    return answers


def _canonical(texts: Sequence[str], many: str) -> list[str]:
    """Return the matchers of an address; what can't be read is left out."""
    found: list[str] = []
    try:
        found += [str(each) for each in parse_matchers(many[:_MOST_CHARACTERS])] if many else []
        found += canonical(text[:_MOST_CHARACTERS] for text in texts)
    except MatcherError:
        return found[:_MOST_MATCHERS]
    return found[:_MOST_MATCHERS]


def _require_place(scope: OrgScope, folder: str, silence: Silence | None) -> None:
    """Creating somewhere, and moving there, needs the permission there."""
    if silence is not None and folder == _folder_name(silence):
        return
    place = folder_get(scope.org, folder) if folder else None
    scope.access.require("silences:create", place)


def _version(request: PageRequest) -> int | None:
    text = request.POST.get("resource_version", "")
    if text and not text.isdecimal():
        raise NotFoundError
    return int(text) if text else None


def _folder_name(silence: Silence) -> str:
    return silence.folder.name if silence.folder else ""


def _detail_url(scope: OrgScope, name: str) -> str:
    return reverse("notifications:silence-detail", args=[scope.org.name, name])
