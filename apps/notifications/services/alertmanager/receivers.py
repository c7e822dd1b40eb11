"""Receivers of Alertmanager as receivers of our contact points, and back."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from apps.notifications.services.alertmanager.integrations import (
    FILE_LOST,
    INTEGRATIONS,
    Integration,
)
from apps.notifications.services.alertmanager.losses import Losses
from apps.notifications.services.alertmanager.routes import mapping_at
from detectviz.resources.errors import InvalidFieldsError

HIDDEN = "<secret>"
_NO_SETTING = "the notifier has no such setting"
_RECEIVER_FIELDS = {"name", "labels"}


def receivers_of(
    receiver: Mapping[str, Any],
    path: str,
    *,
    common: Mapping[str, Any],
    notifiers: Collection[str],
    losses: Losses,
) -> list[dict[str, Any]]:
    """Return what a contact point tells, for each integration whose notifier there is."""
    found: list[dict[str, Any]] = []
    for field, value in receiver.items():
        place = f"{path}.{field}"
        integration = INTEGRATIONS.get(field)
        if field == "labels":
            losses.add(place, "labels of receivers have no counterpart")
        if integration is None or integration.notifier not in notifiers:
            if field not in _RECEIVER_FIELDS:
                losses.add(place, "there is no notifier for this integration")
            continue
        if not isinstance(value, list):
            raise InvalidFieldsError({place: ["Must be a list."]})
        found += [
            _receiver(
                integration,
                mapping_at(each or {}, f"{place}[{index}]"),
                f"{place}[{index}]",
                common,
                losses,
            )
            for index, each in enumerate(value)
        ]
    return found


def _receiver(
    integration: Integration,
    given: Mapping[str, Any],
    path: str,
    common: Mapping[str, Any],
    losses: Losses,
) -> dict[str, Any]:
    config: dict[str, Any] = {}
    secrets: dict[str, str] = {}
    defaults = {
        name: common[key]
        for name, key in integration.common.items()
        if common.get(key) is not None and name not in given
    }
    for name, value in {**defaults, **given}.items():
        if name == "send_resolved" or value is None:
            continue
        if name in integration.config:
            config |= {integration.config[name]: _as_ours(integration, name, value)}
        elif name in integration.secrets:
            secrets |= {integration.secrets[name]: str(value)}
        elif name == "headers" and integration.headers:
            config |= _headers(integration, mapping_at(value, f"{path}.headers"), path, losses)
        elif name == "http_config" and integration.takes_http:
            http = mapping_at(value, f"{path}.http_config")
            _http(http, f"{path}.http_config", config, secrets, losses)
        else:
            why = FILE_LOST if name.endswith("_file") else _NO_SETTING
            losses.add(f"{path}.{name}", integration.lost.get(name, why))
    return {
        "notifier": integration.notifier,
        "config": config,
        "secrets": secrets,
        "send_resolved": bool(given.get("send_resolved", integration.sends_resolved)),
    }


def _as_ours(integration: Integration, name: str, value: Any) -> Any:
    if integration.config[name] in integration.lists:
        return [part.strip() for part in str(value).split(",") if part.strip()]
    return value


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
    secrets: dict[str, str],
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
        secrets["password"] = str(basic["password"])
    elif token:
        config["auth"] = "bearer"
        secrets["bearer_token"] = str(token)
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
                why = FILE_LOST if field.endswith("_file") else _NO_SETTING
                losses.add(f"{path}.{name}.{field}", why)
        elif name != "bearer_token":
            losses.add(f"{path}.{name}", FILE_LOST if name.endswith("_file") else _NO_SETTING)


def configs_of(
    receivers: Sequence[Mapping[str, Any]], path: str, losses: Losses
) -> dict[str, list[dict[str, Any]]]:
    """Return a contact point's receivers as Alertmanager's lists; secrets are hidden."""
    found: dict[str, list[dict[str, Any]]] = {}
    by_notifier = {one.notifier: (field, one) for field, one in INTEGRATIONS.items()}
    for index, receiver in enumerate(receivers):
        place = f"{path}.receivers[{index}]"
        if receiver["notifier"] not in by_notifier:
            losses.add(place, f"Alertmanager has no integration for {receiver['notifier']}")
            continue
        if not receiver.get("enabled", True):
            losses.add(place, "a receiver that is switched off is left out")
            continue
        field, integration = by_notifier[receiver["notifier"]]
        found.setdefault(field, []).append(_config(integration, receiver, place, losses))
    return found


def _config(
    integration: Integration, receiver: Mapping[str, Any], path: str, losses: Losses
) -> dict[str, Any]:
    theirs = {ours: name for name, ours in integration.config.items()}
    headers = {ours: name for name, ours in integration.headers.items()}
    secret_names = {ours: name for name, ours in integration.secrets.items()}
    config: dict[str, Any] = {"send_resolved": receiver["send_resolved"]}
    given = dict(receiver.get("config", {}))
    secrets = set(receiver.get("secrets", {}))
    if integration.takes_http:
        http = _http_config(given, secrets)
        if http:
            config["http_config"] = http
    for name, value in given.items():
        if name in theirs:
            is_list = name in integration.lists and isinstance(value, list)
            config[theirs[name]] = ", ".join(value) if is_list else value
        elif name in headers and value:
            title = headers[name].title()
            config.setdefault("headers", {})[title] = ", ".join(value)
        elif value not in ("", None, [], {}):
            losses.add(f"{path}.config.{name}", "Alertmanager has no such setting")
    for name in sorted(secrets):
        if name in secret_names:
            config[secret_names[name]] = HIDDEN
        else:
            losses.add(f"{path}.secrets.{name}", "Alertmanager has no such setting")
    return config


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
