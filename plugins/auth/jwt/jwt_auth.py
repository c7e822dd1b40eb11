"""Signed tokens (RFC 7519, with the advice of RFC 8725), verified against one issuer's keys."""

from collections.abc import Mapping, Sequence
from typing import Any

import jwt

from detectviz.contracts.auth import AuthContext, BearerToken, Credentials, Identity, OrgRole
from detectviz.contracts.errors import ConfigurationError
from detectviz.contracts.types import JsonObject
from plugins.auth.jwt.keys import KeySets, static_key

MAX_TOKEN = 16_384
MAX_TEXT = 254


class JwtAuthenticator:
    """Recognises who a bearer token is about."""

    def __init__(self) -> None:
        self._sets = KeySets()

    def check_config(self, context: AuthContext) -> None:
        """Demand one kind of key that goes with the algorithms."""
        has_key, has_url = bool(context.secrets.get("key")), bool(context.config["jwks_url"])
        if has_key == has_url:
            message = "Give either a key or a jwks_url."
            raise ConfigurationError(message, field="/key" if has_key else "/jwks_url")
        shared = [name for name in _algorithms(context.config) if name.startswith("HS")]
        if shared and (has_url or len(shared) < len(_algorithms(context.config))):
            raise ConfigurationError(
                f"{shared[0]} is for a shared key alone; choose HS… or public keys, not both.",
                field="/algorithms",
            )
        if has_key:
            static_key(context.secrets["key"], is_shared=bool(shared))

    def authenticate(self, credentials: Credentials, context: AuthContext) -> Identity | None:
        """Return who a valid token is about; None for other credentials and wrong tokens."""
        if not isinstance(credentials, BearerToken):
            return None
        token = credentials.token
        if token.count(".") != 2 or len(token) > MAX_TOKEN:  # noqa: PLR2004 - three parts
            return None
        try:
            claims = self._claims(token, context)
        except jwt.PyJWTError as error:
            context.logger.info("a token was refused: %s", error)
            return None
        return None if claims is None else _identity(claims, context.config)

    def _claims(self, token: str, context: AuthContext) -> Mapping[str, Any] | None:
        header = jwt.get_unverified_header(token)
        algorithms = _algorithms(context.config)
        if header.get("alg") not in algorithms:
            raise jwt.InvalidAlgorithmError("its algorithm is not one of the allowed")
        key = self._key(header, algorithms, context)
        if key is None:
            raise jwt.InvalidKeyError("no key of the issuer has its key id")
        claims: Mapping[str, Any] = jwt.decode(
            token,
            key,
            algorithms=algorithms,
            audience=str(context.config["audience"]),
            issuer=str(context.config["issuer"]),
            # Times are judged below, by the clock of the context.
            options={
                "require": ["exp", "iss", "aud"],
                "verify_exp": False,
                "verify_nbf": False,
                "verify_iat": False,
            },
        )
        _require_time(claims, context)
        return claims

    def _key(
        self, header: Mapping[str, Any], algorithms: Sequence[str], context: AuthContext
    ) -> Any:
        if context.config["jwks_url"]:
            key_id = header.get("kid")
            return self._sets.find(None if key_id is None else str(key_id), context)
        is_shared = all(name.startswith("HS") for name in algorithms)
        return static_key(context.secrets.get("key", ""), is_shared=is_shared)


def _require_time(claims: Mapping[str, Any], context: AuthContext) -> None:
    now, leeway = context.now().timestamp(), float(str(context.config["leeway_s"]))
    times = {name: claims.get(name) for name in ("exp", "nbf", "iat")}
    for name, value in times.items():
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if value is not None and not is_number:
            raise jwt.InvalidTokenError(f"its {name} is no time")
    if float(times["exp"] or 0) + leeway <= now:
        raise jwt.ExpiredSignatureError("it has expired")
    if max(float(times["nbf"] or 0), float(times["iat"] or 0)) - leeway > now:
        raise jwt.ImmatureSignatureError("it is not valid yet")


def _identity(claims: Mapping[str, Any], config: JsonObject) -> Identity | None:
    username = _text(claims, config["username_claim"])
    if not username:
        return None
    held = _texts(claims, config["roles_claim"])
    rows = config["roles"]
    roles = [
        OrgRole(org=str(row["org"]), role=str(row["role"]))
        for row in (rows if isinstance(rows, (list, tuple)) else ())
        if row["value"] in held
    ]
    return Identity(
        username=username,
        email=_text(claims, config["email_claim"]),
        full_name=_text(claims, config["name_claim"]),
        roles=tuple(roles),
    )


def _algorithms(config: JsonObject) -> Sequence[str]:
    value = config["algorithms"]
    return [str(name) for name in value] if isinstance(value, (list, tuple)) else []


def _text(claims: Mapping[str, Any], path: object) -> str:
    value = _claim(claims, path)
    return value if isinstance(value, str) and len(value) <= MAX_TEXT else ""


def _texts(claims: Mapping[str, Any], path: object) -> frozenset[str]:
    value = _claim(claims, path)
    values = value if isinstance(value, list) else [value]
    return frozenset(each for each in values if isinstance(each, str))


def _claim(claims: Mapping[str, Any], path: object) -> Any:
    """Return a claim by its name, or by a path of names where there is none of that name."""
    if str(path) in claims:
        return claims[str(path)]
    found: Any = claims
    for name in str(path).split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found
