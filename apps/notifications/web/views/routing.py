"""The routing tree, where labels would go, and the log of deliveries."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import yaml
from django.http import HttpResponse
from django.urls import reverse

from apps.notifications.enums import DeliveryStatus
from apps.notifications.models import Delivery, RoutingTree
from apps.notifications.selectors import contact_point_list, delivery_list, routing_tree_get
from apps.notifications.services.bootstrap import TREE_NAME
from apps.notifications.services.routing import Route, build_tree
from apps.notifications.services.trials import routes_explain
from detectviz.pluginhost.forms import form_fields
from detectviz.web.forms import Errors, SchemaForm
from detectviz.web.pages import PageRequest, go_to, render_page
from detectviz.web.scope import OrgScope, org_page
from detectviz.web.writes import form_save, kind_of

_LONGEST = 256 * 1024
_FIELDS = form_fields(
    {
        "type": "object",
        "required": ["tree"],
        "properties": {
            "tree": {
                "type": "string",
                "title": "Routing tree",
                "x-widget": "code",
                "description": "YAML in Alertmanager's terms: contact_point, group_by, group_wait, "
                "group_interval, repeat_interval, and routes with matchers and continue.",
            }
        },
    }
)


@dataclass(frozen=True)
class RoutingPage:
    """The tree as it is."""

    scope: OrgScope
    tree: RoutingTree | None

    @cached_property
    def root(self) -> Route | None:
        """The tree with everything inherited filled in."""
        return build_tree(self.tree.root) if self.tree else None

    @property
    def may_update(self) -> bool:
        """Return whether the user may change the tree."""
        return self.scope.can("routingtrees:update")


@dataclass(frozen=True, kw_only=True)
class RoutingFormPage:
    """The tree as text."""

    scope: OrgScope
    text: str
    version: int | None = None
    errors: Errors | None = None

    @cached_property
    def form(self) -> SchemaForm:
        """One field; every problem names its place in the tree."""
        told = [
            f"{name.replace('/', '.')}: {' '.join(messages)}" if name else " ".join(messages)
            for name, messages in (self.errors or {}).items()
        ]
        return SchemaForm(_FIELDS, {"tree": self.text}, {"tree": told} if told else {})

    @cached_property
    def points(self) -> list[str]:
        """The contact points that routes can name."""
        return [point.name for point in contact_point_list(org=self.scope.org)]


@dataclass(frozen=True)
class DeliveryPage:
    """The log of deliveries."""

    scope: OrgScope
    status: str

    @cached_property
    def deliveries(self) -> list[Delivery]:
        """The latest deliveries, of one status where asked for."""
        return delivery_list(org=self.scope.org, status=self.status)

    @property
    def tabs(self) -> list[tuple[str, str]]:
        """The statuses to choose from."""
        return [("", "All"), *((value, str(label)) for value, label in DeliveryStatus.choices)]


@org_page("routingtrees:read")
def routing_page(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Show the tree."""
    page = RoutingPage(scope, routing_tree_get(org=scope.org))
    return render_page(request, "notifications/routing_tree.html", page)


@org_page("routingtrees:read")
def routing_explain(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Show the routes that an alert with these labels would take."""
    words = request.GET.get("labels", "").replace(",", " ").split()
    pairs = [word.partition("=") for word in words]
    labels = {name: value.strip('"') for name, equals, value in pairs if equals and name}
    shown = {
        "labels": labels,
        "routes": routes_explain(org=scope.org, labels=labels) if labels else [],
        "org": scope.org.name,
    }
    return render_page(request, "notifications/partials/_routing_explained.html", shown)


@org_page("routingtrees:update")
def routing_edit(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Show the tree as text and take it."""
    scope.access.require("routingtrees:update")
    tree = routing_tree_get(org=scope.org)
    text = yaml.safe_dump(tree.root if tree else {}, sort_keys=False, allow_unicode=True)
    page = RoutingFormPage(scope=scope, text=text, version=tree.resource_version if tree else None)
    if request.method != "POST":
        return render_page(request, "notifications/routing_edit.html", page)
    submitted = request.POST.get("tree", "")[:_LONGEST].replace("\r\n", "\n")
    version = request.POST.get("resource_version", "")
    errors = _save(scope, submitted, int(version) if version.isdecimal() else None)
    if errors:
        failed = replace(page, text=submitted, errors=errors)
        return render_page(request, "notifications/routing_edit.html", failed, status=422)
    target = reverse("notifications:routing-tree", args=[scope.org.name])
    return go_to(request, target, said="The routing tree is saved.")


@org_page("deliveries:read")
def delivery_page(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Show the log, or for HTMX the table."""
    wanted = request.GET.get("status", "")
    page = DeliveryPage(scope, wanted if wanted in DeliveryStatus.values else "")
    return render_page(
        request,
        "notifications/delivery_list.html",
        page,
        fragment="notifications/partials/_delivery_list.html",
    )


def _save(scope: OrgScope, text: str, version: int | None) -> Errors:
    try:
        spec: Any = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        return {"": [f"This is no YAML: {error}"]}
    return form_save(
        scope,
        kind_of("notifications/v1", "RoutingTree"),
        mode="update",
        name=TREE_NAME,
        spec=spec,
        resource_version=version,
    )
