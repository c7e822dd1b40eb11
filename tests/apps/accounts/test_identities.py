import ipaddress
import json
import time
from typing import Any

import jwt
import pytest
from django.core.cache import cache
from django.test import Client
from pytest_django import Settings

from apps.accounts.models import User
from apps.accounts.services.identities import authenticators
from apps.orgs.models import Org
from detectviz.contracts.errors import ConfigurationError
from tests.factories.accounts import make_full_org, make_user

pytestmark = pytest.mark.django_db
SECRET = "s" * 40
JWT = {"algorithms": ["HS256"], "issuer": "sso", "audience": "detectviz", "key": SECRET}


@pytest.fixture
def org() -> Org:
    cache.clear()
    return make_full_org()


@pytest.fixture
def with_jwt(settings: Settings) -> Settings:
    return configured(settings, jwt=JWT)


def configured(settings: Settings, **plugins: Any) -> Settings:
    settings.AUTH_PLUGINS = tuple(name.replace("_", "-") for name in plugins)
    texts = {name.replace("_", "-"): config for name, config in plugins.items()}
    settings.AUTH_CONFIG = json.dumps(texts)
    return settings


def bearer(sub: str, **claims: Any) -> dict[str, str]:
    made = {"sub": sub, "iss": "sso", "aud": "detectviz", "exp": time.time() + 60, **claims}
    return {"authorization": f"Bearer {jwt.encode(made, SECRET, algorithm='HS256')}"}


def users(client: Client, org: Org, headers: dict[str, str]) -> int:
    address = f"/apis/core/v1/orgs/{org.name}/users"
    return client.get(address, headers=headers).status_code


def test_a_token_opens_the_rest_api_with_its_persons_permissions(
    client: Client, org: Org, with_jwt: Settings
) -> None:
    assert users(client, org, bearer(f"{org.name}-admin")) == 200
    assert users(client, org, bearer("nobody")) == 401


def test_a_token_opens_the_doors(client: Client, org: Org, with_jwt: Settings) -> None:
    address = f"/orgs/{org.name}/prometheus/api/v1/labels"
    assert client.get(address, headers=bearer(f"{org.name}-admin")).status_code == 200
    assert client.get(address, headers=bearer("nobody")).status_code == 401


def test_a_token_is_nothing_where_no_plugin_is_configured(client: Client, org: Org) -> None:
    assert users(client, org, bearer(f"{org.name}-admin")) == 401


def test_neighbours_stay_strangers(client: Client, org: Org, with_jwt: Settings) -> None:
    make_user("stranger")
    assert users(client, org, bearer("stranger")) in {403, 404}


def test_inactive_people_and_administrators_are_not_let_in(
    client: Client, org: Org, with_jwt: Settings
) -> None:
    make_user("root", is_superuser=True)
    assert users(client, org, bearer("root")) == 401
    with_jwt.AUTH_ADMINS = True
    assert users(client, org, bearer("root")) == 200
    User.objects.filter(username=f"{org.name}-admin").update(is_active=False)
    assert users(client, org, bearer(f"{org.name}-admin")) == 401


def test_a_wrong_token_sent_again_and_again_is_slowed_down(
    client: Client, org: Org, with_jwt: Settings
) -> None:
    wrong = bearer("nobody")
    assert [users(client, org, wrong) for _ in range(6)] == [401] * 5 + [429]
    assert users(client, org, bearer(f"{org.name}-admin")) == 200


def test_people_are_made_only_where_that_is_wanted(
    client: Client, org: Org, settings: Settings
) -> None:
    roles = [{"value": "ops", "org": org.name, "role": "admin"}]
    configured(settings, jwt={**JWT, "roles": roles})
    headers = bearer("fresh", email="fresh@example.org", groups=["ops"])
    assert users(client, org, headers) == 401
    settings.AUTH_PROVISION = True
    assert users(client, org, headers) == 200
    assert not User.objects.get(username="fresh").has_usable_password()


def behind_proxy(settings: Settings) -> Settings:
    settings.TRUSTED_PROXIES = (ipaddress.ip_network("127.0.0.1/32"),)
    return configured(settings, proxy_header={})


def test_the_sign_in_page_believes_a_trusted_proxy(
    client: Client, org: Org, settings: Settings
) -> None:
    behind_proxy(settings)
    before = client.session.session_key
    told = {"x-forwarded-user": f"{org.name}-admin"}
    answer = client.get("/login", headers=told)
    assert answer.status_code == 302
    assert client.session.session_key != before
    assert client.get(f"/o/{org.name}/", headers=told, follow=True).status_code == 200


def test_a_session_ends_when_the_proxy_names_another(
    client: Client, org: Org, settings: Settings
) -> None:
    behind_proxy(settings)
    client.get("/login", headers={"x-forwarded-user": f"{org.name}-admin"})
    answer = client.get("/", headers={"x-forwarded-user": "somebody"})
    assert answer.status_code == 302
    assert "_auth_user_id" not in client.session


def test_headers_of_others_than_the_proxy_are_nothing(
    client: Client, org: Org, settings: Settings
) -> None:
    behind_proxy(settings)
    headers = {"x-forwarded-user": f"{org.name}-admin"}
    answer = client.get("/login", headers=headers, REMOTE_ADDR="192.0.2.7")
    assert answer.status_code == 200
    assert users(client, org, headers) == 401


@pytest.mark.parametrize(
    ("plugins", "said"),
    [
        ({"jwt": {**JWT, "key": "short"}}, "DETECTVIZ_AUTH_CONFIG: jwt/key: A shared secret"),
        ({"jwt": {}}, "DETECTVIZ_AUTH: auth/jwt: "),
        ({"ldap": {}}, "DETECTVIZ_AUTH: "),
    ],
)
def test_a_wrong_configuration_names_its_setting(
    settings: Settings, plugins: dict[str, Any], said: str
) -> None:
    configured(settings, **plugins)
    with pytest.raises(ConfigurationError) as told:
        authenticators()
    assert str(told.value).startswith(said)


def test_what_configures_a_plugin_nobody_chose_is_refused(settings: Settings) -> None:
    configured(settings, jwt=JWT)
    settings.AUTH_PLUGINS = ("proxy-header",)
    with pytest.raises(ConfigurationError, match="does not name"):
        authenticators()
