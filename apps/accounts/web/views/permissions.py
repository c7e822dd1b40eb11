"""Roles, role bindings, service accounts and API keys."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_POST

from apps.accounts.selectors import (
    apikey_list,
    binding_list,
    membership_list,
    role_list,
    serviceaccount_list,
    team_list,
)
from apps.accounts.web.forms import ApiKeyForm, BindingForm, RoleForm, ServiceAccountForm
from apps.accounts.web.views.resources import (
    edit_page,
    kind_of,
    list_page,
    row_delete,
    row_of,
    written_or_errors,
)
from apps.orgs.selectors import folder_list
from detectviz.resources.services import resource_write
from detectviz.web.django_forms import posted
from detectviz.web.pages import PageRequest, go_to, render_page
from detectviz.web.scope import OrgScope, org_page


@org_page("roles:read")
def role_index(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """The roles and what they grant."""
    return list_page(request, scope, "accounts/role_list.html", role_list(scope.org))


@org_page("roles:read")
def role_edit(request: PageRequest, scope: OrgScope, name: str = "") -> HttpResponse:
    """Create or change a role."""
    return edit_page(
        request, scope, kind="Role", name=name, form=RoleForm, back="accounts:role-list"
    )


@require_POST
@org_page("roles:delete")
def role_remove(request: PageRequest, scope: OrgScope, name: str) -> HttpResponse:
    """Delete a role."""
    return row_delete(request, scope, "Role", name, "accounts:role-list")


@org_page("rolebindings:read")
def binding_index(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Who has which role where, and the form to give one."""
    may_create = scope.access.allows("rolebindings:create")
    form = BindingForm(posted(request), choices=_binding_choices(scope))
    if request.method == "POST":
        scope.access.require("rolebindings:create")
        if form.is_valid():
            data, kind = form.cleaned_data, kind_of("RoleBinding")
            if written_or_errors(kind, scope, data["name"], _binding_spec(data), form):
                return go_to(request, request.path, said="Saved.")
    kind = kind_of("RoleBinding")
    rows = [(row, kind.to_spec(row)) for row in binding_list(scope.org)]
    page = {"scope": scope, "rows": rows, "form": form, "may_create": may_create}
    status = 422 if form.errors else 200
    return render_page(request, "accounts/binding_list.html", page, status=status)


@require_POST
@org_page("rolebindings:delete")
def binding_remove(request: PageRequest, scope: OrgScope, name: str) -> HttpResponse:
    """Take a role away."""
    return row_delete(request, scope, "RoleBinding", name, "accounts:binding-list")


@org_page("serviceaccounts:read")
def serviceaccount_index(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """The service accounts."""
    rows = serviceaccount_list(scope.org)
    return list_page(request, scope, "accounts/serviceaccount_list.html", rows)


@org_page("serviceaccounts:read")
def serviceaccount_edit(request: PageRequest, scope: OrgScope, name: str = "") -> HttpResponse:
    """Create or change a service account."""
    return edit_page(
        request,
        scope,
        kind="ServiceAccount",
        name=name,
        form=ServiceAccountForm,
        back="accounts:serviceaccount-list",
    )


@require_POST
@org_page("serviceaccounts:delete")
def serviceaccount_remove(request: PageRequest, scope: OrgScope, name: str) -> HttpResponse:
    """Delete a service account with its keys."""
    return row_delete(request, scope, "ServiceAccount", name, "accounts:serviceaccount-list")


@org_page("apikeys:read")
def apikey_index(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """The API keys; one made just now is shown once, in the answer that made it."""
    form = ApiKeyForm(posted(request), owners=_owners(scope))
    token = ""
    if request.method == "POST":
        scope.access.require("apikeys:create")
        if form.is_valid():
            data = dict(form.cleaned_data)
            name, kind = data.pop("name"), kind_of("ApiKey")
            written = written_or_errors(kind, scope, name, _apikey_spec(data), form)
            if written is not None:
                token, form = written.instance.token, ApiKeyForm(owners=_owners(scope))
    may_create = scope.access.allows("apikeys:create")
    rows = apikey_list(scope.org)
    page = {"scope": scope, "rows": rows, "form": form, "token": token, "may_create": may_create}
    status = 422 if form.errors else 200
    return render_page(request, "accounts/apikey_list.html", page, status=status)


@require_POST
@org_page("apikeys:update")
def apikey_revoke(request: PageRequest, scope: OrgScope, name: str) -> HttpResponse:
    """Make a key worthless for good."""
    scope.access.require("apikeys:update")
    kind = kind_of("ApiKey")
    found = row_of(kind, scope, name)
    spec = {**kind.to_spec(found), "is_revoked": True}
    resource_write(kind, org=scope.org, actor=scope.user, name=name, spec=spec, mode="update")
    back = reverse("accounts:apikey-list", args=[scope.org.name])
    return go_to(request, back, said=f"{name} was revoked.")


@require_POST
@org_page("apikeys:delete")
def apikey_remove(request: PageRequest, scope: OrgScope, name: str) -> HttpResponse:
    """Delete a key."""
    return row_delete(request, scope, "ApiKey", name, "accounts:apikey-list")


def _binding_choices(scope: OrgScope) -> dict[str, list[tuple[str, str]]]:
    org = scope.org
    people = [(f"User/{row.name}", row.title or row.name) for row in membership_list(org)]
    teams = [(f"Team/{row.name}", f"Team {row.title or row.name}") for row in team_list(org)]
    accounts = [
        (f"ServiceAccount/{row.name}", f"Service account {row.title or row.name}")
        for row in serviceaccount_list(org)
    ]
    folders = [
        (f"Folder/{row.name}", f"Folder {row.title or row.name}") for row in folder_list(org)
    ]
    return {
        "role": [(row.name, row.title or row.name) for row in role_list(org)],
        "subject": [*people, *teams, *accounts],
        "scope": [("Org/", "The whole organisation"), *folders],
    }


def _reference(text: str) -> dict[str, str]:
    kind, _, name = text.partition("/")
    return {"kind": kind, "name": name}


def _binding_spec(data: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "role": data["role"],
        "subject": _reference(data["subject"]),
        "scope": _reference(data["scope"]),
    }


def _apikey_spec(data: Mapping[str, Any]) -> dict[str, Any]:
    return {**data, "owner": _reference(data["owner"])}


def _owners(scope: OrgScope) -> list[tuple[str, str]]:
    mine = membership_list(scope.org).filter(user=scope.user)
    return [
        *((f"User/{row.name}", f"{row.name} (you)") for row in mine),
        *((f"ServiceAccount/{row.name}", row.name) for row in serviceaccount_list(scope.org)),
    ]
