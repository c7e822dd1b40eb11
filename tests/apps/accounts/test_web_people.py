from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from apps.accounts.models import ApiKey, Invitation, Role, RoleBinding, Team, User
from apps.accounts.services.serviceaccounts import serviceaccount_create
from apps.audit.selectors import audit_list
from apps.orgs.models import Org
from detectviz.permissions.access import access_of
from tests.factories.accounts import make_bound_member, make_full_org
from tests.factories.orgs import make_folder

pytestmark = pytest.mark.django_db
PAGES = (
    "members",
    "teams",
    "teams/new",
    "roles",
    "roles/new",
    "bindings",
    "service-accounts",
    "service-accounts/new",
    "api-keys",
    "audit",
)
POSTS = (
    "members/invite",
    "members/acme-admin/suspend",
    "members/acme-admin/remove",
    "teams/ops/delete",
    "roles/viewer/delete",
    "bindings/acme-admin-admin/delete",
    "service-accounts/bot/delete",
    "api-keys/ci/revoke",
    "api-keys/ci/delete",
)


@pytest.fixture
def org() -> Org:
    return make_full_org()


@pytest.fixture
def admin(client: Client, org: Org) -> Client:
    client.force_login(User.objects.get(username="acme-admin"))
    return client


@pytest.mark.parametrize("page", PAGES)
def test_pages_are_for_those_who_may(client: Client, org: Org, page: str) -> None:
    path = f"/o/acme/{page}"
    assert client.get(path)["Location"] == f"/login?next={path}"
    client.force_login(make_bound_member(make_full_org("other"), "stranger", "admin"))
    assert client.get(path).status_code == 404
    client.force_login(make_bound_member(org, "v", "viewer"))
    assert client.get(path).status_code == 403
    client.force_login(User.objects.get(username="acme-admin"))
    assert client.get(path).status_code == 200


@pytest.mark.parametrize("page", POSTS)
def test_writing_is_for_those_who_may_and_only_by_post(client: Client, org: Org, page: str) -> None:
    path = f"/o/acme/{page}"
    client.force_login(make_bound_member(make_full_org("other"), "stranger", "admin"))
    assert client.get(path).status_code == 405
    assert client.post(path).status_code == 404
    client.force_login(make_bound_member(org, "v", "viewer"))
    assert client.post(path).status_code == 403


def test_an_invitation_shows_its_link_once(admin: Client, org: Org) -> None:
    html = admin.post(
        "/o/acme/members/invite", {"email": "new@example.org", "role": "viewer"}
    ).content.decode()
    assert "http://testserver/invitations/" in html
    html = admin.get("/o/acme/members").content.decode()
    assert "new@example.org" in html
    assert "/invitations/" not in html.replace("/o/acme/invitations/", "")
    uid = Invitation.objects.for_org(org).get().uid
    admin.post(f"/o/acme/invitations/{uid}/withdraw")
    assert "new@example.org" not in admin.get("/o/acme/members").content.decode()


def test_a_bad_address_is_named(admin: Client) -> None:
    answer = admin.post("/o/acme/members/invite", {"email": "x", "role": "viewer"})
    assert answer.status_code == 422
    assert "E-mail address: Enter a valid email address." in answer.content.decode()


def test_a_member_is_suspended_let_in_and_removed(admin: Client, org: Org) -> None:
    bob = make_bound_member(org, "bob", "viewer")
    for active in (False, True):
        admin.post("/o/acme/members/bob/suspend", {"is_active": str(active).lower()})
        assert access_of(bob, org).is_member is active
    assert admin.post("/o/acme/members/bob/remove").status_code == 302
    assert not access_of(bob, org).is_member
    actions = audit_list(org).values_list("action", flat=True)
    assert {"user.update", "user.delete"} <= set(actions)


def test_the_last_admin_is_kept_with_an_explanation(admin: Client) -> None:
    answer = admin.post("/o/acme/members/acme-admin/remove")
    assert answer.status_code == 409
    assert b"without an active administrator" in answer.content


def test_a_team_is_made_changed_and_deleted(admin: Client, org: Org) -> None:
    make_bound_member(org, "bob")
    admin.post("/o/acme/teams/new", {"name": "ops", "title": "Ops", "members": ["bob"]})
    team = Team.objects.for_org(org).get()
    assert [user.username for user in team.members] == ["bob"]
    html = admin.get("/o/acme/teams/ops/edit").content.decode()
    assert 'value="bob"' in html
    assert "checked" in html
    admin.post("/o/acme/teams/ops/edit", {"title": "Operations", "members": []})
    team.refresh_from_db()
    assert (team.title, team.members.count()) == ("Operations", 0)
    admin.post("/o/acme/teams/ops/delete")
    assert not Team.objects.for_org(org).exists()


def test_a_role_is_made_and_given_in_a_folder(admin: Client, org: Org) -> None:
    folder, bob = make_folder(org), make_bound_member(org, "bob")
    answer = admin.post(
        "/o/acme/roles/new", {"name": "keeper", "permissions": "monitors:*\nalerts:read"}
    )
    assert answer.status_code == 302
    assert Role.objects.for_org(org).get(name="keeper").permissions == [
        "alerts:read",
        "monitors:*",
    ]
    binding = {"name": "b", "role": "keeper", "subject": "User/bob", "scope": "Folder/web"}
    assert admin.post("/o/acme/bindings", binding).status_code == 302
    assert access_of(bob, org).allows("monitors:delete", folder)
    assert "Folder web" in admin.get("/o/acme/bindings").content.decode()
    admin.post("/o/acme/bindings/b/delete")
    assert not RoleBinding.objects.for_org(org).filter(name="b").exists()


def test_a_wrong_permission_is_named_beside_its_field(admin: Client) -> None:
    answer = admin.post("/o/acme/roles/new", {"name": "x", "permissions": "moon:walk"})
    assert answer.status_code == 422
    assert "Permissions: &#x27;moon&#x27; is no resource" in answer.content.decode()


def test_a_taken_name_is_told(admin: Client) -> None:
    answer = admin.post("/o/acme/roles/new", {"name": "viewer", "permissions": "*:read"})
    assert answer.status_code == 422
    assert "exists already" in answer.content.decode()


def test_a_builtin_role_is_not_offered_for_editing(admin: Client) -> None:
    assert "/o/acme/roles/viewer/edit" not in admin.get("/o/acme/roles").content.decode()
    answer = admin.post("/o/acme/roles/viewer/edit", {"permissions": "*:*"})
    assert answer.status_code == 422


def test_a_key_is_shown_once_and_revoked(admin: Client, org: Org) -> None:
    serviceaccount_create(org=org, name="bot")
    data = {"name": "ci", "owner": "ServiceAccount/bot", "scopes": "monitors:read"}
    html = admin.post("/o/acme/api-keys", data).content.decode()
    key = ApiKey.objects.for_org(org).get()
    assert f"dv_{key.key_id}_" in html
    page = admin.get("/o/acme/api-keys").content.decode()
    assert key.prefix in page
    assert key.digest not in page
    admin.post("/o/acme/api-keys/ci/revoke")
    key.refresh_from_db()
    assert key.revoked_at is not None
    admin.post("/o/acme/api-keys/ci/delete")
    assert not ApiKey.objects.for_org(org).exists()


def test_the_audit_log_is_searched_and_opened(admin: Client, org: Org) -> None:
    admin.post("/o/acme/roles/new", {"name": "keeper", "permissions": "monitors:*"})
    html = admin.get("/o/acme/audit?q=keeper").content.decode()
    event = audit_list(org, search="keeper").get()
    assert f"/o/acme/audit/{event.uid}" in html
    assert "monitors:*" in admin.get(f"/o/acme/audit/{event.uid}").content.decode()
    assert "No event fits" in admin.get("/o/acme/audit?q=nothing-like-it").content.decode()
    foreign = audit_list(make_full_org("other"))[0]
    assert admin.get(f"/o/acme/audit/{foreign.uid}").status_code == 404


@pytest.mark.parametrize(("page", "budget"), [("members", 16), ("bindings", 20), ("audit", 14)])
def test_a_page_costs_as_many_queries_for_many_rows_as_for_few(
    admin: Client,
    org: Org,
    page: str,
    budget: int,
    django_assert_max_num_queries: Callable[..., Any],
) -> None:
    for number in range(3):
        make_bound_member(org, f"user{number}", "viewer")
    with django_assert_max_num_queries(budget) as few:
        admin.get(f"/o/acme/{page}")
    for number in range(3, 12):
        make_bound_member(org, f"user{number}", "viewer")
    with django_assert_max_num_queries(budget) as many:
        admin.get(f"/o/acme/{page}")
    assert len(many) - len(few) <= 0
