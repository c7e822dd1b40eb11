"""The audit log of an org."""

from django.core.paginator import Paginator
from django.http import HttpResponse

from apps.audit.selectors import audit_get, audit_list
from detectviz.resources.errors import NotFoundError
from detectviz.web.pages import PageRequest, render_page
from detectviz.web.scope import OrgScope, org_page

PER_PAGE = 50


@org_page("audit:read")
def audit_index(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """What happened, the latest first."""
    search = request.GET.get("q", "").replace("\x00", "")[:100]
    rows = Paginator(audit_list(scope.org, search=search), PER_PAGE).get_page(
        request.GET.get("page")
    )
    page = {"scope": scope, "rows": rows, "search": search}
    return render_page(request, "audit/audit_list.html", page)


@org_page("audit:read")
def audit_detail(request: PageRequest, scope: OrgScope, uid: str) -> HttpResponse:
    """One event with before and after."""
    event = audit_get(scope.org, uid)
    if event is None:
        raise NotFoundError
    return render_page(request, "audit/audit_detail.html", {"scope": scope, "event": event})
