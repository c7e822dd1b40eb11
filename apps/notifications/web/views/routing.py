"""The routing tree: shown, explained, changed route by route or as YAML."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from django.http import HttpResponse, QueryDict
from django.urls import reverse
from django.views.decorators.http import require_POST

from apps.notifications.models import RoutingTree
from apps.notifications.selectors import (
    contact_point_list,
    routing_tree_get,
    time_interval_list,
)
from apps.notifications.services.bootstrap import DEFAULT_ROOT, TREE_NAME
from apps.notifications.services.escalation import policy_titles
from apps.notifications.services.explanations import RouteExplained, routes_explain
from apps.notifications.services.route_times import Intervals, intervals_of, moment_asked
from apps.notifications.services.routing import Route, build_tree, flatten
from apps.notifications.services.tree_edits import (
    ROOT,
    find_route,
    find_spec,
    with_added,
    with_changed,
    with_moved,
    without,
)
from apps.notifications.web.forms.routes import labels_of, node_errors, own_spec, route_fields
from apps.notifications.web.views.tree import RouteNode, route_nodes
from detectviz.clock import utc_now
from detectviz.resources.errors import ConflictError, InvalidFieldsError, NotFoundError
from detectviz.resources.yaml import MalformedYamlError, dump_documents, load_documents
from detectviz.web.forms import Errors, SchemaForm
from detectviz.web.pages import PageRequest, go_to, render_page
from detectviz.web.parsing import parse_form
from detectviz.web.scope import OrgScope, org_page
from detectviz.web.writes import form_save, kind_of

_TREE = "notifications/partials/_routing_tree.html"
_ROUTE = "notifications/partials/_route_form.html"


@dataclass(frozen=True)
class RoutingPage:
    """The tree, and where the labels of the query string would go."""

    scope: OrgScope
    query: QueryDict

    @cached_property
    def tree(self) -> RoutingTree | None:
        """The stored tree."""
        return routing_tree_get(org=self.scope.org)

    @property
    def version(self) -> int | str:
        """What a change must be based on."""
        return self.tree.resource_version if self.tree else ""

    @cached_property
    def spec(self) -> Mapping[str, Any]:
        """The tree as written."""
        return dict(self.tree.root) if self.tree else DEFAULT_ROOT

    @cached_property
    def root(self) -> RouteNode:
        """The tree as nodes."""
        return route_nodes(
            self.spec,
            self.route,
            hits={each.route.path: each.is_told for each in self.explained},
            intervals=self.intervals,
            at=self.at,
        )

    @cached_property
    def intervals(self) -> Intervals:
        """The org's times by name."""
        return intervals_of(self.scope.org)

    @property
    def at_text(self) -> str:
        """The time to explain as it was written."""
        return self.query.get("at", "").strip()[:40]

    @property
    def location(self) -> str:
        """Whose clocks tell it."""
        return self.query.get("location", "").strip()[:63] or str(self.scope.org.time_zone)

    @cached_property
    def problem(self) -> str:
        """What is wrong with the time asked about."""
        try:
            moment_asked(self.at_text, self.location, utc_now())
        except InvalidFieldsError as error:
            return " ".join(text for texts in error.fields.values() for text in texts)
        return ""

    @cached_property
    def at(self) -> datetime:
        """The time to explain: now, unless another one is asked about."""
        now = utc_now()
        return now if self.problem else moment_asked(self.at_text, self.location, now)

    @property
    def local_at(self) -> str:
        """The same in words, by the clocks asked for."""
        return f"{self.at.astimezone(ZoneInfo(self.location)):%a %d %b %Y %H:%M %Z}"

    @cached_property
    def route(self) -> Route:
        """The tree with everything inherited."""
        return build_tree(self.spec)

    @property
    def labels_text(self) -> str:
        """The labels to explain as they were written."""
        return self.query.get("labels", "").strip()[:4000]

    @property
    def labels(self) -> dict[str, str]:
        """The labels to explain."""
        return labels_of(self.labels_text)

    @property
    def is_unreadable(self) -> bool:
        """Return whether something was written that is no label."""
        return bool(self.labels_text) and not self.labels

    @cached_property
    def explained(self) -> list[RouteExplained]:
        """Where the labels would go, in order, and who would be told then."""
        if not self.labels or self.problem:
            return []
        return routes_explain(
            org=self.scope.org,
            labels=self.labels,
            now=utc_now(),
            at=self.at,
            location=self.location,
            is_named=self.scope.access.allows("alerts:read"),
        )

    @cached_property
    def points(self) -> dict[str, str]:
        """The contact points to choose from, by name, with what people call them."""
        return {
            each.name: each.title or each.name for each in contact_point_list(org=self.scope.org)
        }

    @property
    def is_silent(self) -> bool:
        """Return whether nobody is told about anything."""
        return not any(route.contact_point for route in flatten(self.route))

    @property
    def may_update(self) -> bool:
        """Return whether the user may change the tree."""
        return self.scope.can("routingtrees:update")


@dataclass(frozen=True, kw_only=True)
class RouteFormPage:
    """The form of the route at ``at``, or of a new one below it."""

    scope: OrgScope
    routing: RoutingPage
    at: str
    is_new: bool
    document: Mapping[str, Any] | None = None
    errors: Errors | None = None

    @property
    def is_root(self) -> bool:
        """Return whether it is the route every alert comes to."""
        return self.at == ROOT and not self.is_new

    @property
    def stored(self) -> dict[str, Any]:
        """What is written at the route."""
        return {} if self.is_new else find_spec(self.routing.spec, self.at)

    @property
    def parent(self) -> Route:
        """What the route inherits from; the root from itself."""
        place = self.at if self.is_new or self.is_root else self.at.rpartition("-")[0]
        return find_route(self.routing.route, place)

    @cached_property
    def form(self) -> SchemaForm:
        """The fields with what was submitted, else with what is stored."""
        fields = route_fields(
            self.routing.points,
            self.parent,
            is_root=self.is_root,
            policies=policy_titles(self.scope.org.pk),
            intervals={
                each.name: each.title or each.name
                for each in time_interval_list(org=self.scope.org)
            },
        )
        document = self.stored if self.document is None else self.document
        return SchemaForm(fields, dict(document), self.errors or {})


@dataclass(frozen=True, kw_only=True)
class YamlPage:
    """The tree as text."""

    scope: OrgScope
    version: int | str
    text: str
    problems: tuple[tuple[str, str], ...] = ()


@org_page("routingtrees:read")
def routing_tree(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Show the tree, or for HTMX where some labels would go in it."""
    page = RoutingPage(scope, request.GET)
    return render_page(request, "notifications/routing_tree.html", page, fragment=_TREE)


@org_page("routingtrees:update")
def route_add(request: PageRequest, scope: OrgScope, *, at: str) -> HttpResponse:
    """Show the form of a new route below another and take it."""
    return _route_form(request, scope, at, is_new=True)


@org_page("routingtrees:update")
def route_edit(request: PageRequest, scope: OrgScope, *, at: str) -> HttpResponse:
    """Show the form of a route and take it."""
    return _route_form(request, scope, at, is_new=False)


@require_POST
@org_page("routingtrees:update")
def route_move(request: PageRequest, scope: OrgScope, *, at: str) -> HttpResponse:
    """Put a route before or after its neighbour."""
    by = -1 if request.POST.get("to") == "up" else 1
    routing = RoutingPage(scope, request.GET)
    return _change(request, routing, with_moved(routing.spec, at, by), said="The route is moved.")


@require_POST
@org_page("routingtrees:update")
def route_delete(request: PageRequest, scope: OrgScope, *, at: str) -> HttpResponse:
    """Delete a route and those below it."""
    routing = RoutingPage(scope, request.GET)
    return _change(request, routing, without(routing.spec, at), said="The route is deleted.")


@org_page("routingtrees:update")
def routing_yaml(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Show the tree as YAML and take it."""
    routing = RoutingPage(scope, request.GET)
    text = dump_documents([dict(routing.spec)])
    page = YamlPage(scope=scope, version=routing.version, text=text)
    if request.method == "POST":
        return _take_yaml(request, scope)
    return render_page(request, "notifications/routing_yaml.html", page)


def _route_form(request: PageRequest, scope: OrgScope, at: str, *, is_new: bool) -> HttpResponse:
    routing = RoutingPage(scope, request.GET)
    find_spec(routing.spec, at)
    page = RouteFormPage(scope=scope, routing=routing, at=at, is_new=is_new)
    if request.method == "POST":
        return _take_route(request, page)
    return render_page(request, "notifications/route_edit.html", page, fragment=_ROUTE)


def _take_route(request: PageRequest, page: RouteFormPage) -> HttpResponse:
    document = parse_form(page.form.fields, request.POST)
    own = own_spec(document, page.stored)
    spec = page.routing.spec
    changed = with_added(spec, page.at, own) if page.is_new else with_changed(spec, page.at, own)
    errors = _save(request, page.scope, changed)
    if not errors:
        return _done(request, page.scope, "The route is added." if page.is_new else "Saved.")
    below = len(find_spec(spec, page.at).get("routes", ()))
    place = f"{page.at}-{below}" if page.is_new else page.at
    failed = RouteFormPage(
        scope=page.scope,
        routing=page.routing,
        at=page.at,
        is_new=page.is_new,
        document=document,
        errors=node_errors(errors, place),
    )
    return render_page(
        request, "notifications/route_edit.html", failed, fragment=_ROUTE, status=422
    )


def _take_yaml(request: PageRequest, scope: OrgScope) -> HttpResponse:
    text = request.POST.get("text", "").replace("\r\n", "\n")
    try:
        documents = load_documents(text)
        spec = documents[0] if len(documents) == 1 else None
        errors = _save(request, scope, spec)
        problems = tuple(
            (name.replace("/", "."), " ".join(texts)) for name, texts in errors.items()
        )
    except MalformedYamlError as error:
        problems = (("", error.message),)
    if not problems:
        return _done(request, scope, "The routing tree is saved.")
    version = request.POST.get("resource_version", "")
    page = YamlPage(scope=scope, version=version, text=text, problems=problems)
    return render_page(request, "notifications/routing_yaml.html", page, status=422)


def _change(
    request: PageRequest, routing: RoutingPage, changed: Mapping[str, Any], *, said: str
) -> HttpResponse:
    errors = _save(request, routing.scope, changed)
    if errors:
        raise ConflictError(" ".join(text for texts in errors.values() for text in texts))
    return _done(request, routing.scope, said)


def _save(request: PageRequest, scope: OrgScope, spec: Any) -> Errors:
    """Write the tree as somebody saw it; a change in between is an error."""
    scope.access.require("routingtrees:update", routing_tree_get(org=scope.org))
    version = request.POST.get("resource_version", "")
    if version and not version.isdecimal():
        raise NotFoundError
    return form_save(
        scope,
        kind_of("notifications/v1", "RoutingTree"),
        mode="update" if version else "create",
        name=TREE_NAME,
        spec=spec,
        resource_version=int(version) if version else None,
    )


def _done(request: PageRequest, scope: OrgScope, said: str) -> HttpResponse:
    return go_to(request, reverse("notifications:routing-tree", args=[scope.org.name]), said=said)
