"""The organisation itself: its title and where it tells times."""

from django.http import HttpResponse
from django.urls import reverse

from apps.accounts.web.forms import OrgForm
from apps.orgs.services import org_update
from detectviz.web.django_forms import posted
from detectviz.web.pages import PageRequest, go_to, render_page
from detectviz.web.scope import OrgScope, org_page

_PERMISSION = "orgs:update"


@org_page(_PERMISSION)
def org_edit(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Show what can be set of the org, and take it."""
    scope.access.require(_PERMISSION)
    stored = {"title": scope.org.title, "time_zone": scope.org.time_zone}
    form = OrgForm(posted(request), zone=scope.org.time_zone, initial=stored)
    if request.method == "POST" and form.is_valid():
        org_update(org=scope.org, actor=scope.user, **form.cleaned_data)
        target = reverse("accounts:org-edit", args=[scope.org.name])
        return go_to(request, target, said="The organisation is saved.")
    status = 422 if form.is_bound else 200
    shown = {"scope": scope, "form": form}
    return render_page(request, "accounts/org_edit.html", shown, status=status)
