"""Receivers: choosing a notifier, adding, editing and removing one."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_POST

from apps.extensions.selectors import plugin_list, plugin_manifest
from apps.notifications.models import ContactPoint
from apps.notifications.web.forms import receiver_errors, receiver_fields, receiver_of
from apps.notifications.web.views.contactpoints import point_kind, point_of
from detectviz.contracts.manifest import Manifest
from detectviz.contracts.types import PluginKind
from detectviz.pluginhost.catalogue import PluginDescription
from detectviz.pluginhost.errors import PluginHostError
from detectviz.resources.errors import NotFoundError
from detectviz.resources.services import resource_write
from detectviz.web.forms import Errors, SchemaForm
from detectviz.web.pages import PageRequest, go_to, render_page
from detectviz.web.parsing import parse_form
from detectviz.web.scope import OrgScope, org_page
from detectviz.web.writes import form_save

_FORM = "notifications/partials/_receiver_form.html"


@dataclass(frozen=True)
class ReceiverTypesPage:
    """The notifiers to choose from; for an existing contact point, or a new one."""

    scope: OrgScope
    point: ContactPoint | None

    @cached_property
    def types(self) -> list[tuple[PluginDescription, str]]:
        """Usable notifiers with the address of their form."""
        usable = [each for each in plugin_list(PluginKind.NOTIFIER) if each.status != "broken"]
        return [(each, self._address(each.name)) for each in usable]

    def _address(self, notifier: str) -> str:
        org = self.scope.org.name
        if self.point is None:
            return reverse("notifications:contactpoint-create", args=[org, notifier])
        return reverse("notifications:receiver-add", args=[org, self.point.name, notifier])


@dataclass(frozen=True, kw_only=True)
class ReceiverFormPage:
    """The form of a receiver; ``index`` is its place in the contact point."""

    scope: OrgScope
    manifest: Manifest
    point: ContactPoint | None = None
    index: int | None = None
    document: dict[str, Any] | None = None
    errors: Errors | None = None

    @cached_property
    def receivers(self) -> list[dict[str, Any]]:
        """The receivers as stored, with secrets masked."""
        return list(point_kind().to_spec(self.point)["receivers"]) if self.point else []

    @property
    def receiver(self) -> dict[str, Any]:
        """The receiver being edited, empty for a new one."""
        return {} if self.index is None else self.receivers[self.index]

    @property
    def fields(self) -> Any:
        """The fields of the form."""
        return receiver_fields(
            self.manifest,
            is_new_point=self.point is None,
            is_new_receiver=self.index is None,
        )

    @cached_property
    def form(self) -> SchemaForm:
        """The fields with what was submitted, else with what is stored."""
        document = self.receiver if self.document is None else self.document
        secrets = frozenset(f"config/{name}" for name in self.receiver.get("secrets", {}))
        return SchemaForm(self.fields, document, self.errors or {}, secrets)

    @property
    def cancel_url(self) -> str:
        """Where to go without saving."""
        if self.point is None:
            return reverse("notifications:contactpoint-list", args=[self.scope.org.name])
        args = [self.scope.org.name, self.point.name]
        return reverse("notifications:contactpoint-detail", args=args)


def manifest_of(notifier: str) -> Manifest:
    """Return the manifest of a usable notifier; raise NotFoundError."""
    try:
        return plugin_manifest(PluginKind.NOTIFIER, notifier)
    except PluginHostError as error:
        raise NotFoundError(str(error)) from error


@org_page("contactpoints:read")
def receiver_types(request: PageRequest, scope: OrgScope, *, name: str = "") -> HttpResponse:
    """Offer the notifiers."""
    scope.access.require("contactpoints:update" if name else "contactpoints:create")
    point = point_of(scope, name, "contactpoints:update") if name else None
    page = ReceiverTypesPage(scope, point)
    return render_page(request, "notifications/receiver_types.html", page)


@org_page("contactpoints:create")
def contactpoint_create(request: PageRequest, scope: OrgScope, *, notifier: str) -> HttpResponse:
    """Make a contact point with its first receiver."""
    scope.access.require("contactpoints:create")
    page = ReceiverFormPage(scope=scope, manifest=manifest_of(notifier))
    return _answer(request, page)


@org_page("contactpoints:update")
def receiver_add(
    request: PageRequest, scope: OrgScope, *, name: str, notifier: str
) -> HttpResponse:
    """Add a receiver to a contact point."""
    point = point_of(scope, name, "contactpoints:update")
    page = ReceiverFormPage(scope=scope, manifest=manifest_of(notifier), point=point)
    return _answer(request, page)


@org_page("contactpoints:update")
def receiver_edit(
    request: PageRequest, scope: OrgScope, *, name: str, receiver: str
) -> HttpResponse:
    """Edit one receiver."""
    point = point_of(scope, name, "contactpoints:update")
    index = _place(point, receiver)
    manifest = manifest_of(point.receivers[index]["notifier"])
    page = ReceiverFormPage(scope=scope, manifest=manifest, point=point, index=index)
    return _answer(request, page)


@require_POST
@org_page("contactpoints:update")
def receiver_remove(
    request: PageRequest, scope: OrgScope, *, name: str, receiver: str
) -> HttpResponse:
    """Remove one receiver; the last one stays."""
    point = point_of(scope, name, "contactpoints:update")
    spec = point_kind().to_spec(point)
    spec["receivers"].pop(_place(point, receiver))
    resource_write(
        point_kind(), org=scope.org, actor=scope.user, name=name, spec=spec, mode="update"
    )
    target = reverse("notifications:contactpoint-detail", args=[scope.org.name, name])
    return go_to(request, target, said=f"{receiver} is removed.")


def _place(point: ContactPoint, receiver: str) -> int:
    names = [each["name"] for each in point.receivers]
    if receiver not in names:
        raise NotFoundError
    return names.index(receiver)


def _answer(request: PageRequest, page: ReceiverFormPage) -> HttpResponse:
    if request.method == "POST":
        return _save(request, page)
    return render_page(request, "notifications/receiver_edit.html", page, fragment=_FORM)


def _save(request: PageRequest, page: ReceiverFormPage) -> HttpResponse:
    document = parse_form(page.fields, request.POST)
    place = len(page.receivers) if page.index is None else page.index
    receivers = [*page.receivers]
    receivers[place : place + 1] = [
        receiver_of(page.manifest, document, page.receiver.get("name", ""))
    ]
    title = page.point.title if page.point else document.get("title", "")
    name = page.point.name if page.point else str(document.get("name", ""))
    errors = form_save(
        page.scope,
        point_kind(),
        mode="update" if page.point else "create",
        name=name,
        spec={"title": title, "receivers": receivers},
    )
    if errors:
        failed = replace(page, document=document, errors=receiver_errors(errors, place))
        return render_page(
            request, "notifications/receiver_edit.html", failed, fragment=_FORM, status=422
        )
    target = reverse("notifications:contactpoint-detail", args=[page.scope.org.name, name])
    return go_to(request, target, said=f"{name} is saved. Send a test to see that it arrives.")
