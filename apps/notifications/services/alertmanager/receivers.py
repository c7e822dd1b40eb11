"""Receivers of Alertmanager as receivers of our contact points, and back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.extensions.selectors import plugin_list
from apps.notifications.services.alertmanager.integrations import (
    FILE_LOST,
    INTEGRATIONS,
    Integration,
)
from apps.notifications.services.alertmanager.routes import mapping_at
from detectviz.contracts.types import PluginKind
from detectviz.resources.errors import InvalidFieldsError
from detectviz.resources.losses import Losses

HIDDEN = "<secret>"
NO_SETTING = "the notifier has no such setting"
_RECEIVER_FIELDS = {"name", "labels"}
Schemas = Mapping[str, Mapping[str, Any]]
"""The configuration schema of each usable notifier."""


def notifier_schemas() -> Schemas:
    """Return the configuration schemas of the notifiers that can be used."""
    return {
        one.name: one.manifest.config_schema
        for one in plugin_list(PluginKind.NOTIFIER)
        if one.is_usable and one.manifest is not None
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Carrier:
    """One integration with the schema of its notifier."""

    integration: Integration
    properties: Mapping[str, Any]

    def ours(self, name: str) -> str:
        """Return our name of a field; empty where it is not carried over."""
        name_here = self.integration.renamed.get(name, name)
        is_known = name in self.integration.fields and name_here in self.properties
        return name_here if is_known else ""

    def is_secret(self, name: str) -> bool:
        """Say whether our field is a secret."""
        return bool(self.properties[name].get("writeOnly"))

    def inner(self, name: str) -> Mapping[str, Any]:
        """Return the properties of our field where it is an object of some; else nothing."""
        properties = self.properties[name].get("properties")
        return properties if isinstance(properties, Mapping) else {}

    def value(self, name: str, given: Any) -> Any:
        """Return a value as our field wants it."""
        wanted = self.properties[name].get("type")
        if wanted == "array" and isinstance(given, str):
            return [part.strip() for part in given.split(",") if part.strip()]
        if wanted == "string" and isinstance(given, int | float) and not isinstance(given, bool):
            return str(given)
        return given


def receivers_of(
    receiver: Mapping[str, Any],
    path: str,
    *,
    common: Mapping[str, Any],
    schemas: Schemas,
    losses: Losses,
) -> list[dict[str, Any]]:
    """Return what a contact point tells, for each integration whose notifier there is."""
    found: list[dict[str, Any]] = []
    for field, value in receiver.items():
        place = f"{path}.{field}"
        integration = INTEGRATIONS.get(field)
        if field == "labels":
            losses.add(place, "labels of receivers have no counterpart")
        if integration is None or integration.notifier not in schemas:
            if field not in _RECEIVER_FIELDS:
                losses.add(place, "there is no notifier for this integration")
            continue
        if not isinstance(value, list):
            raise InvalidFieldsError({place: ["Must be a list."]})
        carrier = _Carrier(
            integration=integration,
            properties=schemas[integration.notifier].get("properties", {}),
        )
        for index, each in enumerate(value):
            at = f"{place}[{index}]"
            found.append(_receiver(carrier, mapping_at(each or {}, at), at, common, losses))
    return found


def _receiver(
    carrier: _Carrier,
    given: Mapping[str, Any],
    path: str,
    common: Mapping[str, Any],
    losses: Losses,
) -> dict[str, Any]:
    integration = carrier.integration
    config: dict[str, Any] = {}
    secrets: dict[str, Any] = {}
    defaults = {
        name: common[key]
        for name, key in integration.common.items()
        if common.get(key) is not None and name not in given
    }
    for name, value in {**defaults, **given}.items():
        ours = carrier.ours(name)
        if name == "send_resolved" or value is None:
            continue
        if ours and carrier.is_secret(ours):
            secrets[ours] = _secret(value)
        elif ours and carrier.inner(ours):
            inner = mapping_at(value, f"{path}.{name}")
            config[ours] = _inner(carrier.inner(ours), inner, f"{path}.{name}", losses)
            secrets |= _inner_secrets(carrier.inner(ours), inner, ours)
        elif ours:
            config[ours] = carrier.value(ours, value)
        elif name == "headers" and integration.headers:
            config |= _headers(integration, mapping_at(value, f"{path}.headers"), path, losses)
        elif name == "http_config" and integration.takes_http:
            http = mapping_at(value, f"{path}.http_config")
            _http(http, f"{path}.http_config", config, secrets, losses)
        elif name == "http_config" and integration.bearer:
            http = mapping_at(value, f"{path}.http_config")
            secrets |= _bearer(http, integration.bearer, f"{path}.http_config", losses)
        else:
            why = FILE_LOST if name.endswith("_file") else NO_SETTING
            losses.add(f"{path}.{name}", integration.lost.get(name, why))
    _move_posting_address(integration, config, secrets)
    implied = {name: text for name, text in integration.implied.items() if name not in config}
    return {
        "notifier": integration.notifier,
        "config": config | implied,
        "secrets": secrets,
        "send_resolved": bool(given.get("send_resolved", integration.sends_resolved)),
    }


def _secret(value: object) -> Any:
    """Return a secret; one that was hidden by an export stays what it is."""
    return {"set": True} if value == HIDDEN else str(value)


def _inner(
    properties: Mapping[str, Any], given: Mapping[str, Any], path: str, losses: Losses
) -> dict[str, Any]:
    """Carry over the fields of an object, but its secrets; lose those it does not have."""
    for name in given.keys() - properties.keys():
        losses.add(f"{path}.{name}", FILE_LOST if name.endswith("_file") else NO_SETTING)
    return {
        name: value
        for name, value in given.items()
        if name in properties and not properties[name].get("writeOnly")
    }


def _inner_secrets(
    properties: Mapping[str, Any], given: Mapping[str, Any], name: str
) -> dict[str, Any]:
    return {
        f"{name}/{inner}": _secret(value)
        for inner, value in given.items()
        if properties.get(inner, {}).get("writeOnly") and value
    }


def _bearer(http: Mapping[str, Any], secret: str, path: str, losses: Losses) -> dict[str, str]:
    """Carry over the credentials of ``http_config``, for services that have no other way."""
    authorization = mapping_at(http.get("authorization") or {}, f"{path}.authorization")
    for name in authorization.keys() - {"type", "credentials"}:
        losses.add(f"{path}.authorization.{name}", FILE_LOST)
    for name in http.keys() - {"authorization", "bearer_token"}:
        losses.add(f"{path}.{name}", FILE_LOST if name.endswith("_file") else NO_SETTING)
    token = http.get("bearer_token") or authorization.get("credentials")
    return {secret: _secret(token)} if token else {}


def _move_posting_address(
    integration: Integration, config: dict[str, Any], secrets: dict[str, Any]
) -> None:
    """With a token, Slack's ``api_url`` is the address of its API, no webhook and no secret."""
    if integration.notifier == "slack" and "app_token" in secrets and "api_url" in secrets:
        config.setdefault("app_url", secrets.pop("api_url"))


def _headers(
    integration: Integration, headers: Mapping[str, Any], path: str, losses: Losses
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in headers.items():
        field = integration.headers.get(str(name).lower())
        if field is None:
            losses.add(f"{path}.headers.{name}", "only Cc and Reply-To are carried over")
        else:
            found[field] = [part.strip() for part in str(value).split(",") if part.strip()]
    return found


def _http(
    http: Mapping[str, Any],
    path: str,
    config: dict[str, Any],
    secrets: dict[str, Any],
    losses: Losses,
) -> None:
    """Carry over who signs in and whom to trust."""
    basic = http.get("basic_auth") or {}
    bearer = http.get("authorization") or {}
    token = http.get("bearer_token") or (
        bearer.get("credentials") if str(bearer.get("type", "Bearer")).lower() == "bearer" else None
    )
    if basic.get("password"):
        config |= {"auth": "basic", "username": str(basic.get("username", ""))}
        secrets["password"] = _secret(basic["password"])
    elif token:
        config["auth"] = "bearer"
        secrets["bearer_token"] = _secret(token)
    tls = http.get("tls_config") or {}
    if tls.get("insecure_skip_verify"):
        config["verify_tls"] = False
    if tls.get("ca"):
        config["ca_pem"] = str(tls["ca"])
    carried = {
        "basic_auth": {"username", "password"},
        "authorization": {"type", "credentials"} if token else set(),
        "tls_config": {"insecure_skip_verify", "ca"},
    }
    for name, value in http.items():
        if name in carried:
            for field in mapping_at(value or {}, f"{path}.{name}").keys() - carried[name]:
                why = FILE_LOST if field.endswith("_file") else NO_SETTING
                losses.add(f"{path}.{name}.{field}", why)
        elif name != "bearer_token":
            losses.add(f"{path}.{name}", FILE_LOST if name.endswith("_file") else NO_SETTING)


def configs_of(
    receivers: Sequence[Mapping[str, Any]], path: str, *, schemas: Schemas, losses: Losses
) -> dict[str, list[dict[str, Any]]]:
    """Return a contact point's receivers as Alertmanager's lists; secrets are hidden."""
    found: dict[str, list[dict[str, Any]]] = {}
    by_notifier = {
        one.notifier: (field, one) for field, one in INTEGRATIONS.items() if one.is_exported
    }
    for index, receiver in enumerate(receivers):
        place = f"{path}.receivers[{index}]"
        if receiver["notifier"] not in by_notifier:
            losses.add(place, f"Alertmanager has no integration for {receiver['notifier']}")
            continue
        if not receiver.get("enabled", True):
            losses.add(place, "a receiver that is switched off is left out")
            continue
        field, integration = by_notifier[receiver["notifier"]]
        chosen = {**receiver, "config": _chosen(receiver, schemas)}
        found.setdefault(field, []).append(_config(integration, chosen, place, losses))
    return found


def _chosen(receiver: Mapping[str, Any], schemas: Schemas) -> dict[str, Any]:
    """Return what somebody chose of a receiver's configuration, without the notifier's defaults."""
    properties = schemas.get(receiver["notifier"], {}).get("properties", {})
    return {
        name: value
        for name, value in receiver.get("config", {}).items()
        if value not in ("", None, [], {}) and value != properties.get(name, {}).get("default")
    }


def _config(
    integration: Integration, receiver: Mapping[str, Any], path: str, losses: Losses
) -> dict[str, Any]:
    theirs = {integration.renamed.get(name, name): name for name in integration.fields}
    headers = {ours: name for name, ours in integration.headers.items()}
    config: dict[str, Any] = {"send_resolved": receiver["send_resolved"]}
    given = dict(receiver["config"])
    secrets = set(receiver.get("secrets", {}))
    if integration.takes_http:
        http = _http_config(given, secrets)
        if http:
            config["http_config"] = http
    for name, value in given.items():
        if name in theirs:
            is_text = name == "to" and isinstance(value, list)
            config[theirs[name]] = ", ".join(value) if is_text else value
        elif name in headers:
            config.setdefault("headers", {})[headers[name].title()] = ", ".join(value)
        elif integration.implied.get(name) != value:
            losses.add(f"{path}.config.{name}", "Alertmanager has no such setting")
    for name in sorted(secrets):
        if not _hide(name, config, theirs, integration):
            losses.add(f"{path}.secrets.{name}", "Alertmanager has no such setting")
    return config


def _hide(
    name: str, config: dict[str, Any], theirs: Mapping[str, str], integration: Integration
) -> bool:
    """Put a hidden secret where Alertmanager has it; return whether it has it at all."""
    outer, _, inner = name.partition("/")
    if name in theirs:
        config[theirs[name]] = HIDDEN
    elif inner and outer in theirs:
        config[theirs[outer]] = {**config.get(theirs[outer], {}), inner: HIDDEN}
    elif name == integration.bearer:
        config["http_config"] = {"authorization": {"credentials": HIDDEN}}
    else:
        return False
    return True


def _http_config(given: dict[str, Any], secrets: set[str]) -> dict[str, Any]:
    """Take what HTTP needs out of ``given`` and ``secrets``."""
    http: dict[str, Any] = {}
    auth, username = given.pop("auth", "none"), given.pop("username", "")
    if auth == "basic":
        http["basic_auth"] = {"username": username, "password": HIDDEN}
        secrets.discard("password")
    elif auth == "bearer":
        http["authorization"] = {"type": "Bearer", "credentials": HIDDEN}
        secrets.discard("bearer_token")
    tls: dict[str, Any] = {}
    if not given.pop("verify_tls", True):
        tls["insecure_skip_verify"] = True
    authority = given.pop("ca_pem", "")
    if authority:
        tls["ca"] = authority
    return http | ({"tls_config": tls} if tls else {})
