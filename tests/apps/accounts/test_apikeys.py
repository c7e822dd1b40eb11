import hmac
from base64 import b64encode
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from rest_framework.exceptions import AuthenticationFailed, Throttled
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from apps.accounts.api.authentication import ApiKeyAuthentication, token_of
from apps.accounts.errors import EscalationError
from apps.accounts.models import ApiKey, User
from apps.accounts.services import tokens
from apps.accounts.services.apikeys import (
    KeyTerms,
    apikey_authenticate,
    apikey_create,
    apikey_update,
)
from apps.accounts.services.serviceaccounts import serviceaccount_create
from apps.accounts.services.tokens import token_key_id
from apps.orgs.models import Org
from detectviz.clock import utc_now
from detectviz.observability.context import Actor, RequestContext, context
from detectviz.permissions.memory import access_changed
from detectviz.permissions.requests import request_access
from detectviz.resources.errors import InvalidFieldsError
from tests.factories.accounts import bind, make_api_key, make_bound_member, make_full_org

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def no_failures_counted() -> None:
    cache.clear()


@pytest.fixture
def org() -> Org:
    return make_full_org()


def admin_of(org: Org) -> User:
    return User.objects.get(username=f"{org.name}-admin")


def call(header: str) -> Request:
    """Return a DRF request that carries ``header``."""
    plain = APIRequestFactory().get("/", headers={"Authorization": header})
    return Request(plain, authenticators=[ApiKeyAuthentication()])


def test_a_key_is_shown_once_and_stored_as_a_digest(org: Org) -> None:
    key = make_api_key(org, admin_of(org))
    assert key.token.startswith(f"dv_{key.key_id}_")
    assert len(key.token) >= 50
    stored = ApiKey.objects.for_org(org).get()
    assert stored.token == ""
    secret = key.token.removeprefix(f"dv_{key.key_id}_")
    assert secret not in str(vars(stored))


@pytest.mark.parametrize("scheme", ["Bearer", "Basic"])
def test_a_key_signs_in_as_bearer_and_as_basic_password(org: Org, scheme: str) -> None:
    admin = admin_of(org)
    key = make_api_key(org, admin)
    value = key.token if scheme == "Bearer" else b64encode(f"any:{key.token}".encode()).decode()
    request = call(f"{scheme} {value}")
    assert request.user == admin
    assert request.auth == key
    assert request_access(request, org).allows("users:update")


@pytest.mark.parametrize(
    ("header", "token"),
    [
        ("", None),
        ("Bearer eyJhbGciOi", None),
        ("Digest x", None),
        ("Bearer dv_x", "dv_x"),
        ("bearer dv_x", "dv_x"),
        ("Basic !!!", ""),
        ("Basic", ""),
        ("Basic " + b64encode(b"nocolon").decode(), ""),
        ("Basic " + b64encode(b"\xff:\xff").decode(), ""),
    ],
)
def test_only_our_schemes_are_ours(header: str, token: str | None) -> None:
    assert token_of(header) == token


@pytest.mark.parametrize(
    "token", ["", "dv_", "dv__", "dv_x", "dv_x_y", "xx_aa_bb", "dv_" + "a_" * 99]
)
def test_what_is_no_key_is_refused(org: Org, token: str) -> None:
    make_api_key(org, admin_of(org))
    assert apikey_authenticate(token=token, now=utc_now()) is None
    with pytest.raises(AuthenticationFailed):
        _ = call("Basic " + b64encode(f"u:{token}".encode()).decode()).user


def test_a_changed_secret_is_refused(org: Org) -> None:
    key = make_api_key(org, admin_of(org))
    wrong = key.token[:-1] + ("A" if key.token[-1] != "A" else "B")
    assert apikey_authenticate(token=wrong, now=utc_now()) is None


def test_every_refusal_compares_one_digest_in_constant_time(
    org: Org, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[tuple[str, str]] = []
    compare = hmac.compare_digest

    def spy(one: str, two: str) -> bool:
        compared.append((one, two))
        return compare(one, two)

    monkeypatch.setattr(hmac, "compare_digest", spy)
    key = make_api_key(org, admin_of(org))
    for token in ("dv_unknown_secret", "", f"dv_{key.key_id}_wrong", key.token):
        apikey_authenticate(token=token, now=utc_now())
    assert len(compared) == 4
    assert all(len(one) == len(two) == 64 for one, two in compared)


def test_an_ended_key_is_refused(org: Org) -> None:
    admin, now = admin_of(org), utc_now()
    expired = make_api_key(org, admin, name="expired")
    ApiKey.objects.for_org(org).filter(pk=expired.pk).update(expires_at=now)
    revoked = make_api_key(org, admin, name="revoked")
    apikey_update(key=revoked, terms=KeyTerms(), title="", is_revoked=True, actor=admin)
    for key in (expired, revoked):
        assert apikey_authenticate(token=key.token, now=now) is None
    with pytest.raises(InvalidFieldsError):
        apikey_update(key=revoked, terms=KeyTerms(), title="", is_revoked=False, actor=admin)


def test_a_key_ends_with_its_owner_and_its_org(org: Org) -> None:
    user = make_bound_member(org, "bob")
    key = make_api_key(org, user)
    user.is_active = False
    user.save()
    assert apikey_authenticate(token=key.token, now=utc_now()) is None
    user.is_active = True
    user.save()
    Org.objects.update(is_active=False)
    assert apikey_authenticate(token=key.token, now=utc_now()) is None


def test_a_key_works_only_in_its_own_org(org: Org) -> None:
    other = make_full_org("other")
    user = make_bound_member(org, "both", "admin")
    make_bound_member(other, "both", "admin")
    request = call(f"Bearer {make_api_key(org, user).token}")
    assert request_access(request, org).allows("users:update")
    assert not request_access(request, other).is_member


def test_scopes_narrow_what_the_owner_may(org: Org) -> None:
    request = call(f"Bearer {make_api_key(org, admin_of(org), 'monitors:read').token}")
    access = request_access(request, org)
    assert access.allows("monitors:read")
    assert not access.allows("monitors:update")


def test_use_is_noted_at_most_once_a_minute(org: Org) -> None:
    key, now = make_api_key(org, admin_of(org)), utc_now()
    noted = []
    for seconds in (0, 30, 61):
        used = apikey_authenticate(token=key.token, now=now + timedelta(seconds=seconds))
        assert used is not None
        noted.append(ApiKey.objects.for_org(org).get().last_used_at)
    assert noted == [now, now, now + timedelta(seconds=61)]


def test_guessing_one_key_is_blocked_even_for_the_right_secret(org: Org) -> None:
    key = make_api_key(org, admin_of(org))
    for _ in range(5):
        with pytest.raises(AuthenticationFailed):
            _ = call(f"Bearer dv_{key.key_id}_wrong").user
    with pytest.raises(Throttled):
        _ = call(f"Bearer {key.token}").user
    other = make_api_key(org, admin_of(org), name="other")
    assert call(f"Bearer {other.token}").user == admin_of(org)


def test_spraying_keys_is_blocked_by_address(org: Org) -> None:
    for number in range(50):
        with pytest.raises(AuthenticationFailed):
            _ = call(f"Bearer dv_{number}_wrong").user
    with pytest.raises(Throttled):
        _ = call("Bearer dv_new_wrong").user


def test_nobody_makes_a_key_that_can_do_more_than_they(org: Org) -> None:
    operator = make_bound_member(org, "op", "operator")
    bot = serviceaccount_create(org=org, name="bot").user
    bind("admin", bot, org)

    def make(user: User, *scopes: str) -> ApiKey:
        terms = KeyTerms(scopes=scopes)
        return apikey_create(org=org, name="k", user=user, terms=terms, actor=operator)

    with pytest.raises(EscalationError):
        make(bot, "*:*")
    with pytest.raises(EscalationError):
        make(admin_of(org), "monitors:read")
    make(bot, "monitors:read")


def test_a_narrow_key_does_not_make_a_wider_one(org: Org) -> None:
    admin = admin_of(org)
    caller = Actor(user_id=admin.pk, via="apikey", scopes=("apikeys:*", "monitors:read"))

    def make(*scopes: str) -> ApiKey:
        return apikey_create(
            org=org, name="k", user=admin, terms=KeyTerms(scopes=scopes), actor=admin
        )

    with context(RequestContext(actor_source=lambda: caller)):
        with pytest.raises(EscalationError):
            make("*:*")
        make("monitors:read")


def test_a_key_needs_an_owner_in_the_org(org: Org) -> None:
    stranger = make_bound_member(make_full_org("other"), "stranger")
    with pytest.raises(InvalidFieldsError):
        make_api_key(org, stranger)


def test_recognising_a_key_takes_one_query(org: Org, django_assert_num_queries: Any) -> None:
    key = make_api_key(org, admin_of(org))
    apikey_authenticate(token=key.token, now=utc_now())
    access_changed()
    with django_assert_num_queries(1):
        apikey_authenticate(token=key.token, now=utc_now())
    with django_assert_num_queries(1):
        apikey_authenticate(token="dv_unknown_key", now=utc_now())


def test_the_id_inside_a_key_is_found() -> None:
    assert token_key_id(tokens.api_token_new().token)
    assert token_key_id("dv_abc_with_under_scores") == "abc"
