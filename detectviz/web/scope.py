"""The org of a page: resolved from the URL, with what the user may do in it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, Concatenate

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseNotAllowed,
)
from django.shortcuts import render

from detectviz.permissions.access import Access
from detectviz.resources.errors import DomainError, ForbiddenError, NotFoundError
from detectviz.tenancy.requests import org_access
from detectviz.web.pages import PageRequest, toast, wants_fragment

METHODS = ("GET", "HEAD", "POST")  # all that browsers send to pages
OrgView = Callable[Concatenate[PageRequest, "OrgScope", ...], HttpResponseBase]


@dataclass(frozen=True, slots=True)
class OrgScope:
    """Who is looking, at which org, and what they may do there."""

    org: Any
    user: Any
    access: Access

    @property
    def org_title(self) -> str:
        """The org's title, or its name without one."""
        return str(self.org.title or self.org.name)

    def can(self, permission: str, obj: models.Model | None = None) -> bool:
        """Tell whether the user holds ``permission``, on ``obj`` where given."""
        if obj is None:
            return self.access.allows_somewhere(permission)
        return self.access.allows(permission, obj)


def org_page(permission: str = "") -> Callable[[OrgView], Callable[..., HttpResponseBase]]:
    """Make a view of ``/o/{org}/…``: signed in, a member, and holding ``permission`` somewhere.

    The view gets ``(request, scope, …)``. A foreign or unknown org is a 404, a missing permission
    a 403 that names it; domain errors become a toast for HTMX and an error page otherwise. Views
    still ask ``scope.access.require(permission, obj)`` about the object they act on.
    """

    def decorate(view: OrgView) -> Callable[..., HttpResponseBase]:
        @wraps(view)
        def page(request: PageRequest, org: str, **kwargs: Any) -> HttpResponseBase:
            if request.method not in METHODS:
                return HttpResponseNotAllowed(METHODS)
            if not request.user.is_authenticated:
                return _sign_in(request)
            try:
                scope = resolve_scope(request, org)
                vars(request)["org_scope"] = scope
                if permission and not scope.can(permission):
                    scope.access.require(permission)
                return view(request, scope, **kwargs)
            except DomainError as error:
                return _refused(request, error)

        return page

    return decorate


def resolve_scope(request: HttpRequest, name: str) -> OrgScope:
    """Return the scope of the org called ``name``; raise NotFoundError for non-members."""
    org, access = org_access(request, name)
    return OrgScope(org=org, user=request.user, access=access)


def _sign_in(request: PageRequest) -> HttpResponse:
    if wants_fragment(request):
        return HttpResponse(status=401)  # the page reloads itself and is led to the sign-in
    return redirect_to_login(request.get_full_path())


def _refused(request: PageRequest, error: DomainError) -> HttpResponse:
    if isinstance(error, NotFoundError):
        raise Http404(error.message) from error
    if wants_fragment(request):
        return toast(HttpResponse(status=error.status_code), error.message, level="error")
    if isinstance(error, ForbiddenError):
        raise PermissionDenied(error.message) from error
    return render(request, "400.html", {"exception": error.message}, status=error.status_code)
