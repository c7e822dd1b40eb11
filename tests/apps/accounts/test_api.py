import json
from typing import Any

import pytest
from django.core.cache import cache
from rest_framework.test import APIClient

from apps.accounts.models import ApiKey, Membership, Role, RoleBinding, User
from apps.accounts.selectors import role_get
from apps.alerting.models import RuleGroup
from apps.orgs.models import Folder, Org
from detectviz.permissions.access import access_of
from tests.factories.accounts import (
    bind,
    make_api_key,
    make_bound_member,
    make_full_org,
    make_user,
)
from tests.factories.orgs import make_folder

pytestmark = pytest.mark.django_db

PLURALS = (
    "users",
    "teams",
    "roles",
    "rolebindings",
    "folders",
    "serviceaccounts",
    "apikeys",
    "auditevents",
)


@pytest.fixture(autouse=True)
def no_failures_counted() -> None:
    cache.clear()


@pytest.fixture
def org() -> Org:
    return make_full_org()


def admin_of(org: Org) -> User:
    return User.objects.get(username=f"{org.name}-admin")


def client_of(user: User) -> APIClient:
    client = APIClient()
    client.force_login(user)
    return client


def url(org: Org, plural: str, name: str = "") -> str:
    return f"/apis/core/v1/orgs/{org.name}/{plural}" + (f"/{name}" if name else "")


def put(client: APIClient, org: Org, plural: str, name: str, spec: object) -> Any:
    return client.put(url(org, plural, name), {"spec": spec}, format="json")


@pytest.mark.parametrize("plural", PLURALS)
def test_an_org_is_not_there_for_strangers_and_anonymous(org: Org, plural: str) -> None:
    stranger = client_of(make_bound_member(make_full_org("other"), "stranger", "admin"))
    foreign, unknown = (
        stranger.get(url(org, plural)),
        stranger.get(url(org, plural).replace("acme", "nowhere")),
    )
    assert (foreign.status_code, foreign.content) == (404, unknown.content)
    anonymous = APIClient().get(url(org, plural))
    assert anonymous.status_code == 401
    assert anonymous["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("plural", set(PLURALS) - {"folders"})
def test_a_viewer_may_not_look_at_people_and_permissions(org: Org, plural: str) -> None:
    client = client_of(make_bound_member(org, "v", "viewer"))
    assert client.get(url(org, plural)).status_code == 403


@pytest.mark.parametrize("plural", PLURALS)
def test_an_admin_lists_everything_of_the_own_org_only(org: Org, plural: str) -> None:
    other = make_full_org("other")
    for each in (org, other):
        make_folder(each)
        make_api_key(each, admin_of(each))
    body = client_of(admin_of(org)).get(url(org, plural)).json()
    assert "other" not in str(body)


def test_a_session_writes_only_with_a_csrf_token(org: Org) -> None:
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(admin_of(org))
    assert put(client, org, "folders", "web", {}).status_code == 403
    assert not Folder.objects.for_org(org).exists()


def test_a_key_works_without_csrf_and_only_within_its_scopes_and_org(org: Org) -> None:
    other = make_full_org("other")
    user = make_bound_member(org, "both", "admin")
    make_bound_member(other, "both", "admin")
    client = APIClient(enforce_csrf_checks=True)
    key = make_api_key(org, user, "folders:*")
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {key.token}")
    assert put(client, org, "folders", "web", {}).status_code == 201
    assert client.get(url(org, "teams")).status_code == 403
    assert client.get(url(other, "folders")).status_code == 404
    client.credentials(HTTP_AUTHORIZATION="Bearer dv_wrong_key")
    assert client.get(url(org, "folders")).status_code == 401


def test_each_kind_is_written_and_read_back(org: Org) -> None:
    client = client_of(admin_of(org))
    make_bound_member(org, "bob")
    specs: list[tuple[str, str, dict[str, Any]]] = [
        ("folders", "web", {"title": "Web"}),
        ("teams", "ops", {"title": "Ops", "members": ["bob"]}),
        ("roles", "keeper", {"title": "K", "description": "", "permissions": ["monitors:*"]}),
        ("serviceaccounts", "bot", {"title": "Bot", "description": "x", "is_active": True}),
        (
            "rolebindings",
            "ops-keep",
            {
                "role": "keeper",
                "subject": {"kind": "Team", "name": "ops"},
                "scope": {"kind": "Folder", "name": "web"},
            },
        ),
        (
            "rolebindings",
            "bot-on-object",
            {
                "role": "keeper",
                "subject": {"kind": "ServiceAccount", "name": "bot"},
                "scope": {"kind": "Team", "name": "ops"},
            },
        ),
    ]
    for plural, name, spec in specs:
        created = put(client, org, plural, name, spec)
        assert (created.status_code, created.json()["spec"]) == (201, spec)
        again = put(client, org, plural, name, spec)
        assert (again.status_code, again.json()["metadata"]["generation"]) == (200, 1)
    folder = Folder.objects.for_org(org).get()
    assert access_of(User.objects.get(username="bob"), org).allows("monitors:delete", folder)
    for plural, name, _ in reversed(specs):
        assert client.delete(url(org, plural, name)).status_code == 204


def test_a_key_is_answered_once(org: Org) -> None:
    client = client_of(admin_of(org))
    created = put(client, org, "apikeys", "ci", {"scopes": ["monitors:read"]})
    token = created.json()["token"]
    key_id = created.json()["status"]["prefix"].split("_")[1]
    assert token.startswith(f"dv_{key_id}_")
    for answer in (
        client.get(url(org, "apikeys", "ci")),
        put(client, org, "apikeys", "ci", {"scopes": ["monitors:read"], "title": "x"}),
        client.get(url(org, "auditevents")),
    ):
        assert answer.status_code == 200
        assert token.removeprefix(f"dv_{key_id}_") not in answer.content.decode()
        assert "digest" not in answer.content.decode()


@pytest.mark.parametrize(
    ("plural", "spec", "field"),
    [
        ("rolebindings", {"role": "FOREIGN"}, "spec.role"),
        ("rolebindings", {"subject": {"kind": "Team", "name": "FOREIGN"}}, "spec.subject.name"),
        ("rolebindings", {"subject": {"kind": "User", "name": "FOREIGN"}}, "spec.subject.name"),
        ("rolebindings", {"scope": {"kind": "Folder", "name": "FOREIGN"}}, "spec.scope.name"),
        ("rolebindings", {"scope": {"kind": "Org", "name": "FOREIGN"}}, "spec.scope.name"),
        ("rolebindings", {"scope": {"kind": "Moon", "name": "x"}}, "spec.scope.name"),
        ("apikeys", {"owner": {"kind": "User", "name": "FOREIGN"}}, "spec.owner.name"),
        ("apikeys", {"owner": {"kind": "Team", "name": "x"}}, "spec.owner.kind"),
        ("apikeys", {"scopes": ["moon:walk"]}, "spec.scopes"),
        ("apikeys", {"expires_at": "soon"}, "spec.expires_at"),
        ("teams", {"members": ["FOREIGN"]}, "spec.members[0]"),
        ("roles", {"permissions": ["*"]}, "spec.permissions"),
        ("roles", {}, "spec.permissions"),
        ("users", {"email": "nobody"}, "spec.email"),
        ("folders", {"nonsense": 1}, "spec.nonsense"),
    ],
)
@pytest.mark.parametrize("by", ["name", "uid"])
def test_a_bad_or_foreign_reference_is_named_and_nothing_written(
    org: Org, plural: str, spec: dict[str, Any], field: str, by: str
) -> None:
    other = make_full_org("foreign")
    make_bound_member(other, "foreign")
    folder = make_folder(other, "foreign")
    role = Role.objects.create_for(other, name="foreign")
    whole: dict[str, Any] = dict(spec)
    if plural == "rolebindings":
        owner = {"kind": "User", "name": "acme-admin"}
        whole = {"role": "viewer", "subject": owner, **spec}
    uid = role.uid if field == "spec.role" else folder.uid
    text = json.dumps(whole).replace("FOREIGN", "foreign" if by == "name" else uid)
    counts = (RoleBinding, ApiKey, Role, Membership)
    before = [model.objects.for_org(org).count() for model in counts]
    answer = put(client_of(admin_of(org)), org, plural, "x", json.loads(text))
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert [model.objects.for_org(org).count() for model in counts] == before


def test_escalation_by_api_is_refused(org: Org) -> None:
    keeper = role_get(org, "viewer")
    assert keeper is not None
    helper = Role.objects.create_for(
        org, name="helper", permissions=["rolebindings:*", "roles:*", "apikeys:*", "teams:*"]
    )
    user = make_bound_member(org, "helper")
    bind(helper.name, user, org)
    client = client_of(user)
    me = {"kind": "User", "name": "helper"}
    attempts = [
        ("rolebindings", "x", {"role": "admin", "subject": me}),
        ("roles", "y", {"permissions": ["*:*"]}),
        ("roles", "helper", {"permissions": ["*:*"]}),
        ("apikeys", "z", {"owner": {"kind": "User", "name": "acme-admin"}}),
    ]
    for plural, name, spec in attempts:
        answer = put(client, org, plural, name, spec)
        assert (answer.status_code, answer.json()["code"]) == (403, "escalation")
    assert client.delete(url(org, "rolebindings", "acme-admin-admin")).status_code == 403
    assert not access_of(user, org).allows("users:read")


def test_only_the_platform_adds_people_without_invitation(org: Org) -> None:
    victim = make_user("victim")
    spec = {"email": victim.email}
    assert put(client_of(admin_of(org)), org, "users", "victim", spec).status_code == 403
    root = client_of(make_user("root", is_superuser=True))
    answer = put(root, org, "users", "victim", spec)
    assert (answer.status_code, answer.json()["status"]["username"]) == (201, "victim")
    stolen = put(root, org, "users", "victim", {"email": "thief@example.org"})
    assert stolen.status_code == 422


def test_a_member_is_suspended_and_removed(org: Org) -> None:
    client, bob = client_of(admin_of(org)), make_bound_member(org, "bob", "viewer")
    theirs = client_of(bob)
    assert theirs.get(url(org, "folders")).status_code == 200
    put(client, org, "users", "bob", {"is_active": False})
    assert theirs.get(url(org, "folders")).status_code == 404
    assert client.delete(url(org, "users", "bob")).status_code == 204
    assert User.objects.filter(pk=bob.pk).exists()


def test_service_accounts_are_no_people(org: Org) -> None:
    client = client_of(admin_of(org))
    put(client, org, "serviceaccounts", "bot", {})
    names = [item["metadata"]["name"] for item in client.get(url(org, "users")).json()["items"]]
    assert names == ["acme-admin"]


def test_what_was_exported_is_applied_without_a_change(org: Org) -> None:
    client = client_of(admin_of(org))
    make_bound_member(org, "bob", "operator")
    put(client, org, "teams", "ops", {"members": ["bob"]})
    text = client.get(f"/apis/orgs/{org.name}/export").content
    answer = client.post(f"/apis/orgs/{org.name}/apply", text, content_type="application/yaml")
    assert {change["action"] for change in answer.json()["changes"]} == {"unchanged"}


class TestOrgs:
    """The one kind that belongs to no org."""

    def test_everybody_lists_their_own(self, org: Org) -> None:
        make_full_org("other")
        items = client_of(admin_of(org)).get("/apis/core/v1/orgs").json()["items"]
        assert [item["metadata"]["name"] for item in items] == ["acme"]

    def test_only_the_platform_makes_and_deletes_them(self, org: Org) -> None:
        admin, root = client_of(admin_of(org)), client_of(make_user("root", is_superuser=True))
        assert put_org(admin, "new", {"title": "New"}).status_code == 404
        assert put_org(root, "new", {"title": "New"}).status_code == 201
        assert Role.objects.for_org(Org.objects.get(name="new")).count() == 3
        assert admin.delete("/apis/core/v1/orgs/acme").status_code == 403
        assert admin.delete("/apis/core/v1/orgs/new").status_code == 404
        assert root.delete("/apis/core/v1/orgs/new").status_code == 204

    def test_an_admin_renames_and_cannot_switch_off(self, org: Org) -> None:
        admin = client_of(admin_of(org))
        assert put_org(admin, "acme", {"title": "ACME"}).json()["spec"]["title"] == "ACME"
        assert put_org(admin, "acme", {"is_active": False}).status_code == 403
        viewer = client_of(make_bound_member(org, "v", "viewer"))
        assert viewer.get("/apis/core/v1/orgs/acme").status_code == 200
        assert put_org(viewer, "acme", {"title": "x"}).status_code == 403

    def test_a_bad_name_is_named(self) -> None:
        root = client_of(make_user("root", is_superuser=True))
        answer = put_org(root, "Not-A-Name", {})
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "metadata.name")


def put_org(client: APIClient, name: str, spec: object) -> Any:
    return client.put(f"/apis/core/v1/orgs/{name}", {"spec": spec}, format="json")


def test_moving_an_object_into_another_folder_is_creating_it_there(org: Org) -> None:
    """Else whoever may update it would gain what they hold in a folder of their choice."""
    mine = make_folder(org, "mine")
    group = RuleGroup.objects.create_for(org, name="web")
    user = make_bound_member(org, "bob")
    Role.objects.create_for(
        org, name="updater", permissions=["rulegroups:read", "rulegroups:update"]
    )
    bind("updater", user, org, group)
    Role.objects.create_for(org, name="deleter", permissions=["rulegroups:delete"])
    bind("deleter", user, org, mine)
    client, path = client_of(user), f"/apis/alerting/v1/orgs/{org.name}/rulegroups/web"
    moved = client.patch(path, {"metadata": {"folder": "mine"}}, format="json")
    assert (moved.status_code, moved.json()["code"]) == (403, "forbidden")
    group.refresh_from_db()
    assert group.folder is None
    bind("operator", user, org, mine)
    moved = client.patch(path, {"metadata": {"folder": "mine"}}, format="json")
    assert moved.status_code == 200
