import pytest
from django.contrib.auth.password_validation import validate_password

from apps.accounts.models import User
from apps.accounts.services.bootstrap import generated_password, platform_bootstrap
from apps.accounts.services.users import user_create
from apps.orgs.models import Org
from detectviz.crypto.models import DataKey
from detectviz.permissions.access import access_of
from detectviz.resources.errors import ConflictError, InvalidFieldsError
from tests.factories.accounts import make_user

pytestmark = pytest.mark.django_db


def test_a_fresh_installation_gets_an_org_an_administrator_and_a_platform_key() -> None:
    password = platform_bootstrap(username="admin", email="admin@example.org")
    user, org = User.objects.get(), Org.objects.get()
    assert (org.name, user.is_superuser) == ("default", True)
    assert password is not None
    assert user.check_password(password)
    assert user.memberships.get().org == org
    assert access_of(user, org).allows("users:create")
    assert DataKey.objects.filter(scope="platform").exists()


def test_a_given_password_is_used_and_not_told() -> None:
    assert platform_bootstrap(username="admin", password="Correct-horse-7") is None
    assert User.objects.get().check_password("Correct-horse-7")


def test_a_second_start_changes_nothing() -> None:
    platform_bootstrap(username="admin")
    assert platform_bootstrap(username="other") is None
    assert User.objects.count() == 1


def test_a_poor_given_password_stops_the_start_with_nothing_made() -> None:
    with pytest.raises(InvalidFieldsError, match="password"):
        platform_bootstrap(username="admin", password="short")
    assert not Org.objects.exists()


def test_generated_passwords_meet_the_policy() -> None:
    for _ in range(50):
        validate_password(generated_password())


def made(fields: dict[str, str]) -> User:
    whole = {"username": "bob", "email": "bob@example.org", **fields}
    return user_create(
        username=whole["username"], email=whole["email"], password=whole.get("password")
    )


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"username": "bad name"}, "spec.username"),
        ({"username": ""}, "spec.username"),
        ({"email": "nobody"}, "spec.email"),
        ({"email": ""}, "spec.email"),
        ({"password": "short"}, "spec.password"),
    ],
)
def test_a_bad_user_is_refused_by_field(fields: dict[str, str], field: str) -> None:
    with pytest.raises(InvalidFieldsError) as caught:
        made(fields)
    assert list(caught.value.fields) == [field]


@pytest.mark.parametrize(
    "fields", [{"username": "ALICE"}, {"email": "Alice@Example.ORG"}, {"username": "alice"}]
)
def test_names_and_addresses_are_taken_in_any_case(fields: dict[str, str]) -> None:
    make_user("alice")
    with pytest.raises((ConflictError, InvalidFieldsError)):
        made(fields)
    assert User.objects.count() == 1
