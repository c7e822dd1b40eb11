import re
from datetime import timedelta

import pytest
from django.contrib.auth.hashers import BCryptSHA256PasswordHasher
from django.core.mail import EmailMessage
from django.test import Client
from pytest_django import DjangoCaptureOnCommitCallbacks

from apps.accounts.errors import EscalationError
from apps.accounts.models import Invitation, Role, User
from apps.accounts.services.invitations import SentInvitation, invitation_create
from apps.accounts.services.serviceaccounts import serviceaccount_create
from apps.orgs.models import Org
from detectviz import settings as product
from detectviz.clock import utc_now
from detectviz.permissions.access import access_of
from detectviz.resources.errors import ConflictError, InvalidFieldsError
from tests.factories.accounts import PASSWORD, make_bound_member, make_full_org, make_user

pytestmark = pytest.mark.django_db
NEW_PASSWORD = "Staple-battery-9"
PERSON = {"username": "newbie", "full_name": "New Bie", "password": NEW_PASSWORD}


@pytest.fixture
def org() -> Org:
    return make_full_org()


def invite(org: Org, email: str = "new@example.org", role: str = "viewer") -> SentInvitation:
    return invitation_create(
        org=org,
        email=email,
        role=Role.objects.for_org(org).get(name=role),
        actor=User.objects.get(username=f"{org.name}-admin"),
        now=utc_now(),
    )


def path_of(sent: SentInvitation) -> str:
    return sent.link.removeprefix("http://testserver")


def test_one_signs_in_with_the_address_in_any_case(client: Client) -> None:
    user = make_user("alice")
    client.post("/login", {"username": user.email.upper(), "password": PASSWORD})
    assert client.session["_auth_user_id"] == str(user.pk)


def test_failures_by_name_and_by_address_count_together(client: Client) -> None:
    user = make_user("alice")
    for name in ("alice", "ALICE", user.email, user.email.upper(), "alice"):
        client.post("/login", {"username": name, "password": "wrong"})
    answer = client.post("/login", {"username": "alice", "password": PASSWORD})
    assert answer.status_code == 429


def test_signing_in_changes_the_session(client: Client) -> None:
    make_user("alice")
    client.get("/login")
    session = client.session
    session["planted"] = True
    session.save()
    before = session.session_key
    client.post("/login", {"username": "alice", "password": PASSWORD})
    assert client.session.session_key != before


def test_service_accounts_and_inactive_people_do_not_sign_in(client: Client, org: Org) -> None:
    service = serviceaccount_create(org=org, name="bot").user
    service.set_password(PASSWORD)
    service.save()
    inactive = make_user("inactive")
    inactive.is_active = False
    inactive.save()
    for user in (service, inactive):
        answer = client.post("/login", {"username": user.username, "password": PASSWORD})
        assert answer.status_code == 200
        assert "_auth_user_id" not in client.session


def test_switching_somebody_off_ends_their_session_at_once(client: Client) -> None:
    user = make_user("alice")
    client.force_login(user)
    User.objects.update(is_active=False)
    assert client.get("/").status_code == 302


def test_a_new_password_ends_every_other_session() -> None:
    user = make_user("alice")
    here, there = Client(), Client()
    for client in (here, there):
        client.post("/login", {"username": "alice", "password": PASSWORD})
    answer = here.post(
        "/password",
        {
            "old_password": PASSWORD,
            "new_password1": NEW_PASSWORD,
            "new_password2": NEW_PASSWORD,
        },
    )
    assert answer.status_code == 302
    assert here.get("/").status_code == 200
    assert there.get("/").status_code == 302
    user.refresh_from_db()
    assert user.check_password(NEW_PASSWORD)


@pytest.mark.parametrize(
    ("password", "word"),
    [
        ("short-1A", "at least 10"),
        ("alllowercaseonly", "three of"),
        ("1234567890123", "numeric"),
        (PASSWORD, "current password"),
        ("Password123", "too common"),
        ("alice@example.org", "similar"),
        ("x" * 300, "at most 256"),
    ],
)
def test_a_poor_password_is_refused_with_the_reason(
    client: Client, password: str, word: str
) -> None:
    client.force_login(make_user("alice"))
    answer = client.post(
        "/password",
        {"old_password": PASSWORD, "new_password1": password, "new_password2": password},
    )
    assert word in answer.content.decode()


def test_passwords_are_kept_with_bcrypt_of_cost_12() -> None:
    assert product.PASSWORD_HASHERS == ["django.contrib.auth.hashers.BCryptSHA256PasswordHasher"]
    assert BCryptSHA256PasswordHasher.rounds == 12


def test_home_opens_the_preferred_org(client: Client, org: Org) -> None:
    other = make_full_org("other")
    user = make_bound_member(org, "both")
    make_bound_member(other, "both")
    client.force_login(user)
    assert client.get("/")["Location"] == "/o/acme/"
    assert client.post("/switch-org", {"org": "other"})["Location"] == "/o/other/"
    assert client.get("/")["Location"] == "/o/other/"
    make_full_org("foreign")
    assert client.post("/switch-org", {"org": "foreign"}).status_code == 404


def test_home_says_when_there_is_no_org(client: Client) -> None:
    client.force_login(make_user("alice"))
    assert b"no organisation" in client.get("/").content


def test_an_invitation_lets_a_new_person_in(
    client: Client,
    org: Org,
    mailoutbox: list[EmailMessage],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        sent = invite(org, role="operator")
    assert mailoutbox[0].to == ["new@example.org"]
    assert sent.link in mailoutbox[0].body
    assert sent.link.rpartition("/")[2] not in str(Invitation.objects.for_org(org).values())
    assert "Create account" in client.get(path_of(sent)).content.decode()
    assert client.post(path_of(sent), PERSON)["Location"] == "/"
    user = User.objects.get(username="newbie")
    assert user.email == "new@example.org"
    assert access_of(user, org).allows("monitors:create")
    assert client.get("/")["Location"] == "/o/acme/"
    assert Client().get(path_of(sent)).status_code == 410


def test_a_person_with_an_account_signs_in_to_accept(client: Client, org: Org) -> None:
    victim = make_user("victim")
    sent = invite(org, victim.email.upper())
    html = client.get(path_of(sent)).content.decode()
    assert "Sign in" in html
    client.post(path_of(sent), PERSON)
    assert not User.objects.filter(username="newbie").exists()
    client.force_login(make_user("thief"))
    assert b"was sent to" in client.post(path_of(sent)).content
    client.force_login(victim)
    assert client.post(path_of(sent)).status_code == 302
    assert access_of(victim, org).allows("monitors:read")


def test_a_dead_link_tells_nothing(client: Client, org: Org) -> None:
    expired, revoked = invite(org, "a@example.org"), invite(org, "b@example.org")
    rows = Invitation.objects.for_org(org)
    rows.filter(email="a@example.org").update(expires_at=utc_now() - timedelta(seconds=1))
    rows.filter(email="b@example.org").update(revoked_at=utc_now())
    bodies = set()
    for path in (path_of(expired), path_of(revoked), "/invitations/unknown"):
        for answer in (client.get(path), client.post(path, PERSON)):
            assert answer.status_code == 410
            text = answer.content.decode()
            bodies.add(re.sub(r'"X-CSRFToken": "\w+"', "", text))
    assert len(bodies) == 1


def test_a_second_invitation_replaces_the_first(client: Client, org: Org) -> None:
    first, second = invite(org), invite(org)
    assert client.get(path_of(first)).status_code == 410
    assert client.get(path_of(second)).status_code == 200


def test_nobody_invites_above_themselves_nor_twice(org: Org) -> None:
    operator = make_bound_member(org, "op", "operator")
    admin_role = Role.objects.for_org(org).get(name="admin")
    with pytest.raises(EscalationError):
        invitation_create(
            org=org, email="x@example.org", role=admin_role, actor=operator, now=utc_now()
        )
    with pytest.raises(ConflictError):
        invite(org, operator.email)
    with pytest.raises(InvalidFieldsError):
        invite(org, "nobody")


def test_an_invitation_is_worth_what_the_inviter_still_may(client: Client, org: Org) -> None:
    second = make_bound_member(org, "second", "admin")
    role = Role.objects.for_org(org).get(name="admin")
    sent = invitation_create(
        org=org, email="new@example.org", role=role, actor=second, now=utc_now()
    )
    second.memberships.all().delete()
    assert b"Nobody may grant" in client.post(path_of(sent), PERSON).content
    assert not User.objects.filter(username="newbie").exists()


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"username": ""}, "Username: This field is required."),
        ({"username": "bad name!"}, "Username: Enter a valid username"),
        ({"password": "short"}, "Password: "),
        ({"username": "ACME-admin"}, "exists already"),
    ],
)
def test_what_is_wrong_when_accepting_is_named(
    client: Client, org: Org, change: dict[str, str], word: str
) -> None:
    sent = invite(org)
    assert word in client.post(path_of(sent), {**PERSON, **change}).content.decode()
    assert client.get(path_of(sent)).status_code == 200
