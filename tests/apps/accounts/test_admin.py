import pytest
from django.contrib import admin
from django.test import Client

from apps.accounts.models import ApiKey, RoleBinding, User
from apps.accounts.services.invitations import invitation_create
from apps.accounts.services.serviceaccounts import serviceaccount_create
from apps.accounts.services.teams import team_create
from apps.audit.models import AuditEvent
from apps.orgs.models import Org
from detectviz.clock import utc_now
from tests.factories.accounts import (
    make_api_key,
    make_bound_member,
    make_full_org,
    make_user,
)
from tests.factories.orgs import make_folder

pytestmark = pytest.mark.django_db
OURS = [
    model
    for model in admin.site._registry
    if model._meta.app_label in {"orgs", "accounts", "audit"}
]


@pytest.fixture
def root(client: Client) -> Client:
    client.force_login(make_user("root", is_superuser=True))
    return client


@pytest.fixture
def org() -> Org:
    """One row of everything."""
    org = make_full_org()
    user = User.objects.get(username="acme-admin")
    make_folder(org)
    team_create(org=org, name="ops", actor=user)
    serviceaccount_create(org=org, name="bot")
    make_api_key(org, user)
    binding = RoleBinding.objects.for_org(org).get()
    invitation_create(
        org=org, email="new@example.org", role=binding.role, actor=user, now=utc_now()
    )
    return org


def test_the_admin_is_for_platform_administrators_only(client: Client, org: Org) -> None:
    staff = make_bound_member(org, "staff", "admin")
    User.objects.filter(pk=staff.pk).update(is_staff=True)
    client.force_login(staff)
    for model in OURS:
        path = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        assert client.get(path).status_code == 403


@pytest.mark.parametrize("model", OURS, ids=lambda model: model._meta.model_name)
def test_every_page_opens_and_shows_no_secret(root: Client, org: Org, model: type) -> None:
    label = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"  # type: ignore[attr-defined]  # a model
    row = model._base_manager.order_by("pk").first()  # type: ignore[attr-defined]  # a model
    secrets = [key.digest for key in ApiKey.objects.across_orgs(reason="test")]
    secrets += [user.password for user in User.objects.all()]
    for path in (label, f"{label}{row.pk}/change/", f"{label}{row.pk}/history/"):
        answer = root.get(path)
        assert answer.status_code == 200
        assert not [secret for secret in secrets if secret in answer.content.decode()]


def test_no_page_needs_inline_scripts_or_styles(root: Client, org: Org) -> None:
    for path in (
        "/admin/",
        "/admin/accounts/user/",
        "/admin/accounts/user/add/",
        "/admin/orgs/org/",
    ):
        answer = root.get(path)
        html = answer.content.decode()
        assert "script-src 'self'" in answer["Content-Security-Policy"]
        assert "unsafe" not in answer["Content-Security-Policy"]
        assert "<script>" not in html
        assert " onclick=" not in html
        assert ' style="' not in html


def test_audit_events_and_keys_can_only_be_looked_at(root: Client, org: Org) -> None:
    event = AuditEvent.objects.first()
    key = ApiKey.objects.for_org(org).get()
    assert event is not None
    for label, pk in (("audit/auditevent", event.pk), ("accounts/apikey", key.pk)):
        assert root.post(f"/admin/{label}/{pk}/change/", {"name": "x"}).status_code == 403
        assert root.post(f"/admin/{label}/{pk}/delete/", {"post": "yes"}).status_code == 403
        assert root.get(f"/admin/{label}/add/").status_code == 403


def test_an_org_is_made_whole_and_renamed(root: Client) -> None:
    root.post("/admin/orgs/org/add/", {"name": "new", "title": "New", "is_active": "on"})
    org = Org.objects.get(name="new")
    root.post(f"/admin/orgs/org/{org.pk}/change/", {"title": "Newer", "is_active": "on"})
    org.refresh_from_db()
    assert (org.title, org.generation) == ("Newer", 2)
    actions = AuditEvent.objects.filter(org=org).values_list("action", flat=True)
    assert {"org.create", "org.update"} <= set(actions)


def test_guardians_editor_opens_for_orgs_and_folders(root: Client, org: Org) -> None:
    assert root.get(f"/admin/orgs/org/{org.pk}/permissions/").status_code == 200


def test_a_password_set_in_the_admin_ends_sessions(root: Client) -> None:
    user, theirs = make_user("alice"), Client()
    theirs.force_login(user)
    password = "Staple-battery-9"
    path = f"/admin/accounts/user/{user.pk}/password/"
    data = {"usable_password": "true", "password1": password, "password2": password}
    assert root.post(path, data).status_code == 302
    assert theirs.get("/")["Location"].startswith("/login")
