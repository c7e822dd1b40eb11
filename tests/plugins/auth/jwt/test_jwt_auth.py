import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from detectviz.contracts.auth import AuthContext, BearerToken, Credentials, Identity, OrgRole
from detectviz.contracts.errors import ConfigurationError, PluginError
from detectviz.contracts.network import HttpRequest, HttpResponse, Phases
from detectviz.contracts.types import JsonObject, PluginKind
from detectviz.testing.auth import NOW, AuthConformance, NoHttp, make_context
from detectviz.testing.plugins import built_in_plugins

SECRET = "s" * 40
RSA = rsa.generate_private_key(65537, 2048)
OTHER = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())
PEM = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
EC_PEM = EC.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
URL = "https://sso.example/certs"


def config(**changes: Any) -> JsonObject:
    return {"algorithms": ["RS256"], "issuer": "sso", "audience": "detectviz", **changes}


def claims(**changes: Any) -> dict[str, Any]:
    now = round(NOW.timestamp())
    made = {"iss": "sso", "aud": "detectviz", "sub": "ann", "iat": now, "exp": now + 300}
    return {name: value for name, value in (made | changes).items() if value is not None}


def token(key: Any = RSA, algorithm: str = "RS256", kid: str | None = None, **changes: Any) -> str:
    headers = {"kid": kid} if kid else None
    return jwt.encode(claims(**changes), key, algorithm=algorithm, headers=headers)


def ask(text: str, context: AuthContext) -> Identity | None:
    plugin = built_in_plugins().load(PluginKind.AUTH, "jwt")
    found: Identity | None = plugin.authenticate(BearerToken(token=text), context)
    return found


class TestJwt(AuthConformance):
    name = "jwt"
    username = "ann"

    @pytest.fixture
    def context(self) -> AuthContext:
        return make_context("jwt", config(), {"key": PEM})

    @pytest.fixture
    def good(self) -> Credentials:
        return BearerToken(token=token())

    @pytest.fixture
    def bad(self) -> Credentials:
        return BearerToken(token=token(OTHER))


def test_shared_secrets_and_curves_work_too() -> None:
    shared = make_context("jwt", config(algorithms=["HS256"]), {"key": SECRET})
    assert ask(token(SECRET, "HS256"), shared) is not None
    curve = make_context("jwt", config(algorithms=["ES256"]), {"key": EC_PEM})
    assert ask(token(EC, "ES256"), curve) is not None


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "evil"},
        {"iss": None},
        {"aud": "other"},
        {"aud": None},
        {"exp": None},
        {"exp": round(NOW.timestamp()) - 31},
        {"exp": "soon"},
        {"nbf": round(NOW.timestamp()) + 31},
        {"iat": round(NOW.timestamp()) + 31},
        {"sub": None},
        {"sub": ""},
    ],
    ids=str,
)
def test_a_claim_that_is_wrong_or_missing_is_refused(changes: dict[str, Any]) -> None:
    text = jwt.api_jws.encode(json.dumps(claims(**changes)).encode(), RSA, algorithm="RS256")
    assert ask(text, make_context("jwt", config(), {"key": PEM})) is None


def test_the_leeway_is_granted() -> None:
    context = make_context("jwt", config(), {"key": PEM})
    assert ask(token(exp=round(NOW.timestamp()) - 29), context) is not None


def test_no_token_without_signature_is_believed() -> None:
    context = make_context("jwt", config(), {"key": PEM})
    unsigned = jwt.encode(claims(), "", algorithm="none")
    assert ask(unsigned, context) is None
    assert ask(token().rpartition(".")[0] + ".", context) is None


def test_a_public_key_is_never_a_shared_secret() -> None:
    header = jwt.utils.base64url_encode(b'{"alg":"HS256","typ":"JWT"}').decode()
    body = jwt.utils.base64url_encode(json.dumps(claims()).encode()).decode()
    mac = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    signature = mac.sign(f"{header}.{body}".encode(), PEM.encode())
    forged = f"{header}.{body}.{jwt.utils.base64url_encode(signature).decode()}"
    assert ask(forged, make_context("jwt", config(), {"key": PEM})) is None
    wrong = make_context("jwt", config(algorithms=["HS256"]), {"key": PEM})
    with pytest.raises(ConfigurationError, match="cannot be the secret"):
        built_in_plugins().load(PluginKind.AUTH, "jwt").check_config(wrong)


@pytest.mark.parametrize(
    ("changes", "secrets", "said"),
    [
        ({}, {}, "either a key or a jwks_url"),
        ({"jwks_url": URL}, {"key": PEM}, "either a key or a jwks_url"),
        ({"algorithms": ["HS256", "RS256"]}, {"key": SECRET}, "not both"),
        ({"algorithms": ["HS256"], "jwks_url": URL}, {}, "not both"),
        ({"algorithms": ["HS256"]}, {"key": "short"}, "at least 32 bytes"),
        ({}, {"key": "no pem"}, "no public key"),
    ],
)
def test_a_wrong_configuration_says_what_to_change(
    changes: dict[str, Any], secrets: dict[str, str], said: str
) -> None:
    context = make_context("jwt", config(**changes), secrets)
    with pytest.raises(ConfigurationError, match=said):
        built_in_plugins().load(PluginKind.AUTH, "jwt").check_config(context)


def test_claims_become_a_person_with_roles() -> None:
    roles = [
        {"value": "ops", "org": "acme", "role": "operator"},
        {"value": "boss", "org": "acme", "role": "admin"},
    ]
    mapping = config(roles=roles, roles_claim="realm.groups", username_claim="login")
    text = token(login="bob", email="b@c.d", name="Bob B", realm={"groups": ["ops", 7]})
    found = ask(text, make_context("jwt", mapping, {"key": PEM}))
    roles_found = (OrgRole(org="acme", role="operator"),)
    assert found == Identity(username="bob", email="b@c.d", full_name="Bob B", roles=roles_found)


class Issuer(NoHttp):
    """An identity provider that publishes its keys; counts how often it is asked."""

    def __init__(self, **keys: Any) -> None:
        self.keys, self.asked, self.status = keys, 0, 200

    def fetch(self, request: HttpRequest) -> HttpResponse:
        self.asked += 1
        rows = [_published(kid, key) for kid, key in self.keys.items()]
        return HttpResponse(
            status_code=self.status,
            headers=(),
            body=json.dumps({"keys": rows}).encode(),
            body_truncated=False,
            content_length=-1,
            effective_url=request.url,
            version="1.1",
            redirects=0,
            remote_ip="",
            remote_port=0,
            phases=Phases(),
        )


def _published(kid: str, key: Any) -> Mapping[str, Any]:
    row: dict[str, Any] = jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return row | {"kid": kid, "use": "sig", "alg": "RS256"}


def published(issuer: Issuer, url: str, later_s: float = 0) -> AuthContext:
    now = NOW + timedelta(seconds=later_s)
    return make_context("jwt", config(jwks_url=url), http=issuer, now=lambda: now)


def test_published_keys_are_read_once_and_again_when_they_change() -> None:
    issuer, url = Issuer(one=RSA), f"{URL}/rotation"
    for _ in range(3):
        assert ask(token(kid="one"), published(issuer, url)) is not None
    assert issuer.asked == 1
    issuer.keys = {"one": RSA, "two": OTHER}
    assert ask(token(OTHER, kid="two"), published(issuer, url, 31)) is not None
    assert issuer.asked == 2


def test_strangers_cannot_make_it_ask_the_issuer_often() -> None:
    issuer, url = Issuer(one=RSA), f"{URL}/strangers"
    for number in range(20):
        assert ask(token(OTHER, kid=f"x{number}"), published(issuer, url)) is None
    assert issuer.asked == 1


def test_known_keys_outlive_an_issuer_that_is_away() -> None:
    issuer, url = Issuer(one=RSA), f"{URL}/away"
    assert ask(token(kid="one"), published(issuer, url)) is not None
    issuer.status = 503
    later = published(issuer, url, 3700)
    text = token(kid="one", exp=round(NOW.timestamp()) + 9000)
    assert ask(text, later) is not None


def test_an_issuer_never_reached_is_an_error_and_no_answer() -> None:
    issuer, url = Issuer(), f"{URL}/never"
    issuer.status = 503
    with pytest.raises(PluginError, match="503"):
        ask(token(kid="one"), published(issuer, url))
