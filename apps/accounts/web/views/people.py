"""Members, invitations and teams."""

from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_POST

from apps.accounts.selectors import (
    invitation_get,
    invitation_list,
    member_roles,
    membership_list,
    role_get,
    role_list,
    team_list,
)
from apps.accounts.services.invitations import invitation_create, invitation_revoke
from apps.accounts.web.forms import InvitationForm, TeamForm
from apps.accounts.web.views.resources import edit_page, kind_of, list_page, row_delete
from detectviz.clock import utc_now
from detectviz.resources.errors import DomainError, NotFoundError
from detectviz.resources.services import resource_write
from detectviz.web.django_forms import add_domain_errors
from detectviz.web.pages import PageRequest, go_to, render_page
from detectviz.web.scope import OrgScope, org_page


@org_page("users:read")
def member_list(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """People of the org, open invitations, and the form to invite."""
    return _members(request, scope)


@require_POST
@org_page("users:read")
def invitation_send(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Invite somebody; the link is shown once, in case the mail does not arrive."""
    scope.access.require("invitations:create")
    form = _invitation_form(request, scope)
    role = role_get(scope.org, request.POST.get("role", ""))
    if not form.is_valid() or role is None:
        return _members(request, scope, form=form, status=422)
    try:
        sent = invitation_create(
            org=scope.org,
            email=form.cleaned_data["email"],
            role=role,
            actor=scope.user,
            now=utc_now(),
        )
    except DomainError as error:
        add_domain_errors(form, error)
        return _members(request, scope, form=form, status=error.status_code)
    return _members(request, scope, link=sent.link)


@require_POST
@org_page("users:read")
def invitation_withdraw(request: PageRequest, scope: OrgScope, uid: str) -> HttpResponse:
    """Make an invitation's link worthless."""
    scope.access.require("invitations:delete")
    found = invitation_get(scope.org, uid)
    if found is None:
        raise NotFoundError
    invitation_revoke(invitation=found, actor=scope.user, now=utc_now())
    return go_to(request, _members_url(scope), said="The invitation was withdrawn.")


@require_POST
@org_page("users:update")
def member_suspend(request: PageRequest, scope: OrgScope, name: str) -> HttpResponse:
    """Suspend a member, or let them in again."""
    active = request.POST.get("is_active") == "true"
    scope.access.require("users:update")
    resource_write(
        kind_of("User"),
        org=scope.org,
        actor=scope.user,
        name=name,
        spec={"is_active": active},
        mode="update",
    )
    return go_to(request, _members_url(scope), said="Saved.")


@require_POST
@org_page("users:delete")
def member_remove(request: PageRequest, scope: OrgScope, name: str) -> HttpResponse:
    """Take a member out of the org."""
    return row_delete(request, scope, "User", name, "accounts:member-list")


@org_page("teams:read")
def team_index(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """The teams."""
    return list_page(request, scope, "accounts/team_list.html", team_list(scope.org))


@org_page("teams:read")
def team_edit(request: PageRequest, scope: OrgScope, name: str = "") -> HttpResponse:
    """Create or change a team."""
    people = [(row.name, row.title or row.name) for row in membership_list(scope.org)]
    return edit_page(
        request,
        scope,
        kind="Team",
        name=name,
        form=lambda *args, **kwargs: TeamForm(*args, people=people, **kwargs),
        back="accounts:team-list",
    )


@require_POST
@org_page("teams:delete")
def team_remove(request: PageRequest, scope: OrgScope, name: str) -> HttpResponse:
    """Delete a team."""
    return row_delete(request, scope, "Team", name, "accounts:team-list")


def _members(
    request: PageRequest,
    scope: OrgScope,
    *,
    form: InvitationForm | None = None,
    link: str = "",
    status: int = 200,
) -> HttpResponse:
    rows = list(membership_list(scope.org))
    roles = member_roles(scope.org)
    page: dict[str, Any] = {
        "scope": scope,
        "rows": [(row, roles.get(row.user_id, [])) for row in rows],
        "invitations": invitation_list(scope.org) if scope.can("invitations:read") else (),
        "form": form or _invitation_form(None, scope),
        "link": link,
        "may_invite": scope.access.allows("invitations:create"),
        "may_update": scope.access.allows("users:update"),
        "may_delete": scope.access.allows("users:delete"),
    }
    return render_page(request, "accounts/member_list.html", page, status=status)


def _invitation_form(request: PageRequest | None, scope: OrgScope) -> InvitationForm:
    roles = [
        (role.name, role.title or role.name)
        for role in role_list(scope.org)
        if scope.access.covers(role.permissions)
    ]
    return InvitationForm(request.POST if request else None, roles=roles)


def _members_url(scope: OrgScope) -> str:
    return reverse("accounts:member-list", args=[scope.org.name])
