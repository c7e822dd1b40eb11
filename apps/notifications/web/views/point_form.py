"""Choosing a notifier, creating and editing a contact point."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.db import models
from django.http import HttpResponse
from django.urls import reverse

from apps.extensions.selectors import plugin_choices
from apps.notifications.models import ContactPoint
from apps.notifications.web.forms.contact_points import (
    RELIABILITY_FIELDS,
    PointForm,
    ReceiverDraft,
    ReceiverForm,
    head_fields,
    next_place,
    notifier_manifest,
    placed_errors,
    receiver_spec,
    stored_drafts,
    submitted_drafts,
)
from apps.notifications.web.views.contact_points import contact_point_kind, point_of
from detectviz.contracts.types import PluginKind
from detectviz.pluginhost.description import PluginDescription
from detectviz.resources.errors import NotFoundError
from detectviz.web.forms import Errors
from detectviz.web.pages import PageRequest, go_to, render_page
from detectviz.web.parsing import parse_form
from detectviz.web.scope import OrgScope, org_page
from detectviz.web.writes import form_save

_PAGE = "notifications/contact_point_edit.html"
_FORM = "notifications/partials/_contact_point_form.html"


def usable_notifiers(org: models.Model) -> list[PluginDescription]:
    """Return the notifiers to choose from, by title."""
    usable = plugin_choices(PluginKind.NOTIFIER, org)
    return sorted(usable, key=lambda each: each.manifest.title if each.manifest else "")


@dataclass(frozen=True)
class NotifiersPage:
    """The notifiers to choose from."""

    scope: OrgScope

    @cached_property
    def notifiers(self) -> list[PluginDescription]:
        """Usable notifiers."""
        return usable_notifiers(self.scope.org)


@dataclass(frozen=True, kw_only=True)
class PointFormPage:
    """The form: of a new contact point, or of ``point``."""

    scope: OrgScope
    point: ContactPoint | None = None
    head: dict[str, Any] | None = None
    drafts: tuple[ReceiverDraft, ...] | None = None
    errors: Errors | None = None

    @cached_property
    def stored(self) -> tuple[ReceiverDraft, ...]:
        """The receivers as stored."""
        return stored_drafts(contact_point_kind().to_spec(self.point)) if self.point else ()

    @cached_property
    def form(self) -> PointForm:
        """The fields with what was submitted, else with what is stored."""
        stored: dict[str, Any] = {}
        if self.point:
            spec = contact_point_kind().to_spec(self.point)
            stored = {name: spec[name] for name in ("title", *RELIABILITY_FIELDS)}
        return PointForm(
            head=self.head if self.head is not None else stored,
            drafts=self.drafts if self.drafts is not None else self.stored,
            errors=self.errors or {},
            is_new=self.point is None,
        )

    @cached_property
    def notifiers(self) -> list[PluginDescription]:
        """The notifiers to add a receiver of."""
        return usable_notifiers(self.scope.org)


@dataclass(frozen=True)
class ReceiverPage:
    """One added receiver."""

    scope: OrgScope
    receiver: ReceiverForm


@org_page("contactpoints:create")
def contact_point_types(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Offer the notifiers."""
    return render_page(request, "notifications/contact_point_types.html", NotifiersPage(scope))


@org_page("contactpoints:create")
def contact_point_create(request: PageRequest, scope: OrgScope, *, notifier: str) -> HttpResponse:
    """Show the form of a new contact point and take it."""
    if request.method == "POST":
        return _save(request, PointFormPage(scope=scope))
    page = PointFormPage(scope=scope, drafts=(_blank(notifier),))
    return render_page(request, _PAGE, page, fragment=_FORM)


@org_page("contactpoints:update")
def contact_point_edit(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Show the form of a stored contact point and take it."""
    page = PointFormPage(scope=scope, point=point_of(scope, name, "contactpoints:update"))
    if request.method == "POST":
        return _save(request, page)
    return render_page(request, _PAGE, page, fragment=_FORM)


@org_page("contactpoints:read")
def receiver_new(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Show the empty form of one more receiver."""
    draft = _blank(request.GET.get("add", ""))
    form = ReceiverForm(draft=draft, place=next_place(request.GET), errors={})
    page = ReceiverPage(scope, form)
    return render_page(request, "notifications/partials/_receiver_added.html", page)


def _blank(notifier: str) -> ReceiverDraft:
    if notifier_manifest(notifier) is None:
        raise NotFoundError(f"There is no usable notifier {notifier!r}.")
    return ReceiverDraft(notifier=notifier, document={})


def _save(request: PageRequest, page: PointFormPage) -> HttpResponse:
    scope, point = page.scope, page.point
    permission = "contactpoints:update" if point else "contactpoints:create"
    scope.access.require(permission, point)
    head: dict[str, Any] = parse_form(head_fields(is_new=point is None), request.POST)
    drafts = submitted_drafts(request.POST, page.stored)
    errors = _write(request, page, head, drafts)
    if errors:
        failed = PointFormPage(scope=scope, point=point, head=head, drafts=drafts, errors=errors)
        return render_page(request, _PAGE, failed, fragment=_FORM, status=422)
    name = point.name if point else head["name"]
    target = reverse("notifications:contactpoint-detail", args=[scope.org.name, name])
    said = f"{name} is saved." if point else f"{name} is created. Send a test to see it work."
    return go_to(request, target, said=said)


def _write(
    request: PageRequest,
    page: PointFormPage,
    head: dict[str, Any],
    drafts: tuple[ReceiverDraft, ...],
) -> Errors:
    if not drafts:  # an import may make one that tells nobody; who fills in a form means somebody
        return {"receivers": ["Add at least one receiver."]}
    version = request.POST.get("resource_version", "")
    errors = form_save(
        page.scope,
        contact_point_kind(),
        mode="update" if page.point else "create",
        name=page.point.name if page.point else head.get("name", ""),
        spec={
            "title": head.get("title", ""),
            "receivers": [receiver_spec(each) for each in drafts],
            **{name: head[name] for name in RELIABILITY_FIELDS if head.get(name)},
        },
        resource_version=int(version) if version.isdecimal() else None,
    )
    return placed_errors(errors)
