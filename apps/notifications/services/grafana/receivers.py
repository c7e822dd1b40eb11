"""Receivers of Grafana's contact points as ours, and back."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from apps.alerting.services.grafana.files import REDACTED, is_variable, mappings_at
from apps.notifications.services.grafana.integrations import (
    BY_NOTIFIER,
    INTEGRATIONS,
    UNKNOWN,
    Integration,
)
from apps.notifications.services.templates import text_errors
from detectviz.contracts.durations import DurationError, format_duration, parse_duration_s
from detectviz.pluginhost.configuration import validate
from detectviz.resources.errors import InvalidFieldsError
from detectviz.resources.losses import Losses

Schemas = Mapping[str, Mapping[str, Any]]
_RECEIVER: Final = {"uid", "type", "settings", "secureSettings", "disableResolveMessage"}
_LEFT_OUT: Final = "the receiver is left out"
_ENTER: Final = "Enter it in the file, or make the receiver on the page of the contact point."
# A setting that is Grafana's own default text stands for ours.
_DEFAULT_TEXT: Final = re.compile(  # noqa: TID251 - our own constant
    r'\s*\{\{-?\s*template\s+"(?:[a-z]+\.)?default\.(?:title|message|text|subject|instances)"'
    r"\s+\.\s*-?\}\}\s*"
)
_WEBHOOK_ONLY: Final = {"auth", "verify_tls", "ca_pem"}  # written by _joined
_VICTOROPS_URL: Final = ("api_url", "api_key", "routing_key")
_OPSGENIE_PATH: Final = "v2/alerts"


@dataclass(slots=True, kw_only=True)
class ReceiverImport:
    """Reads receivers. ``stored`` are the names of secrets that are kept for a contact point."""

    schemas: Schemas
    losses: Losses
    stored: Mapping[str, set[str]] = field(default_factory=dict)

    def receivers(self, given: object, path: str, point: str) -> list[dict[str, Any]]:
        """Return what a contact point tells; receivers that can't work are left out."""
        found: list[dict[str, Any]] = []
        numbers = Counter[str]()
        for place, receiver in mappings_at(given, path):
            integration = self._integration(receiver, place)
            if integration is None:
                continue
            number = numbers[integration.notifier] = numbers[integration.notifier] + 1
            name = integration.notifier + (f"-{number}" if number > 1 else "")
            kept = {
                each.removeprefix(f"{name}/")
                for each in self.stored.get(point, set())
                if each.startswith(f"{name}/")
            }
            carried = _Carried(integration=integration, place=place, losses=self.losses)
            carried.take(receiver, self.schemas[integration.notifier])
            if carried.fits(self.schemas[integration.notifier], kept):
                found.append({"name": name, **carried.spec(receiver)})
            else:
                numbers[integration.notifier] -= 1
        return found

    def _integration(self, receiver: Mapping[str, Any], path: str) -> Integration | None:
        for name in receiver.keys() - _RECEIVER:
            self.losses.add(f"{path}.{name}", "unknown field of a receiver")
        kind = str(receiver.get("type") or "").lower()
        integration = INTEGRATIONS.get(kind)
        if integration is None or integration.notifier not in self.schemas:
            why = f"{_LEFT_OUT}: there is no notifier for {kind or 'no type'!r}"
            self.losses.add(f"{path}.type", why, UNKNOWN.get(kind, "Use a webhook or apprise."))
            return None
        return integration


@dataclass(slots=True, kw_only=True)
class _Carried:
    """One receiver on its way: what its settings have become."""

    integration: Integration
    place: str
    losses: Losses
    config: dict[str, Any] = field(default_factory=dict)
    secrets: dict[str, Any] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    paths: dict[str, str] = field(default_factory=dict)

    def spec(self, receiver: Mapping[str, Any]) -> dict[str, Any]:
        """Return the receiver as a spec has it."""
        return {
            "notifier": self.integration.notifier,
            "config": self.config,
            "secrets": self.secrets,
            "send_resolved": receiver.get("disableResolveMessage") is not True,
            **self.texts,
        }

    def take(self, receiver: Mapping[str, Any], schema: Mapping[str, Any]) -> None:
        """Carry the settings over, field by field."""
        for section in ("settings", "secureSettings"):
            settings = receiver.get(section) or {}
            if not isinstance(settings, Mapping):
                raise InvalidFieldsError({f"{self.place}.{section}": ["Must be an object."]})
            usual = _usual(self.integration, settings).items()
            # The scheme judges the credentials, so it comes after them.
            for name, value in sorted(usual, key=lambda one: one[0] == "authorization_scheme"):
                self._setting(name, value, f"{self.place}.{section}.{name}", schema)
        for name, text in self.integration.implied.items():
            self.config.setdefault(name, text)
        if self.integration.notifier == "webhook":
            self._signs_in()

    def _setting(self, name: str, value: Any, path: str, schema: Mapping[str, Any]) -> None:
        ours = self.integration.fields.get(name, "")
        described = schema.get("properties", {}).get(ours)
        is_text = name in self.integration.texts
        if value in (None, "", [], {}) or name in self.integration.silent:
            return
        if isinstance(value, str) and _DEFAULT_TEXT.fullmatch(value):
            return
        if is_variable(value):
            why = "it comes from the environment or a file of Grafana"
            self.losses.add(path, why, "Enter the value itself.")
        elif is_text:
            self.texts[self.integration.texts[name]] = str(value)
            self.paths[self.integration.texts[name]] = path
        elif described is None:
            self._other(name, value, path)
        elif described.get("writeOnly"):
            self.secrets[ours] = _secret(value)
            self.paths[ours] = path
        elif described.get("properties"):
            self._inner(ours, value, path, described["properties"])
        else:
            self.config[ours] = _value(self.integration, ours, value, described)
            self.paths[ours] = path

    def _inner(self, ours: str, value: Any, path: str, known: Mapping[str, Any]) -> None:
        if not isinstance(value, Mapping):
            raise InvalidFieldsError({path: ["Must be an object."]})
        self.paths[ours] = path
        self.config[ours] = {}
        for name, each in value.items():
            if name not in known:
                self.losses.add(f"{path}.{name}", "the notifier has no such setting")
            elif known[name].get("writeOnly"):
                self.secrets[f"{ours}/{name}"] = _secret(each)
            else:
                self.config[ours][name] = each

    def _other(self, name: str, value: Any, path: str) -> None:
        if name == "tlsConfig" and isinstance(value, Mapping):
            if value.get("insecureSkipVerify") is True:
                self.config["verify_tls"] = False
            if value.get("caCertificate") not in (None, "", REDACTED):
                self.config["ca_pem"] = str(value["caCertificate"])
            for key in value.keys() - {"insecureSkipVerify", "caCertificate"}:
                self.losses.add(f"{path}.{key}", "the notifier has no such setting")
        elif name == "authorization_scheme":
            if str(value).lower() != "bearer":
                cure = "Set the header Authorization in the receiver."
                self.losses.add(path, f"the scheme {value!r} is not known", cure)
                self.secrets.pop("bearer_token", None)
        elif value is not False:
            cure = self.integration.lost.get(name, "")
            self.losses.add(path, "the notifier has no such setting", cure)

    def _signs_in(self) -> None:
        """Say how the webhook signs in: with whatever there is."""
        if "password" in self.secrets:
            self.config["auth"] = "basic"
        elif "bearer_token" in self.secrets:
            self.config["auth"] = "bearer"

    def fits(self, schema: Mapping[str, Any], kept: set[str]) -> bool:
        """Say whether the receiver can work; what keeps it from that is lost, with it."""
        unknown = [
            name for name, value in self.secrets.items() if _is_hidden(value) and name not in kept
        ]
        for name in unknown:
            self.losses.add(
                self._path(name), f"{_LEFT_OUT}: the secret is hidden in the file", _ENTER
            )
        self._drop_wrong_templates()
        if unknown:
            return False
        secrets = {name: _stand_in(value) for name, value in self.secrets.items()}
        problems = validate(schema, self.config, secrets).problems
        for problem in problems:
            name = problem.field.strip("/").partition("/")[0]
            told = f"{_LEFT_OUT}: {name + ': ' if name else ''}{problem.message.rstrip('.')}"
            self.losses.add(self._path(name), told, _ENTER)
        return not problems

    def _drop_wrong_templates(self) -> None:
        for texts in (self.config, self.texts):
            for name, value in list(texts.items()):
                found = dict(text_errors(value, "")) if isinstance(value, str) else {}
                if found and "{{" in value:
                    del texts[name]
                    why = " ".join(found[""]).rstrip(".")
                    self.losses.add(self._path(name), why, "Write it anew in the receiver.")

    def _path(self, name: str) -> str:
        return self.paths.get(name, self.paths.get(name.partition("/")[0], self.place))


def _is_hidden(value: object) -> bool:
    return isinstance(value, Mapping)


def _stand_in(value: object) -> str:
    """Return a secret to check a configuration with: a hidden one is thought to be an address."""
    return "https://secret.invalid/" if _is_hidden(value) else str(value)


def _secret(value: object) -> Any:
    return {"set": True} if value == REDACTED else str(value)


def _usual(integration: Integration, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings whose one text means several of ours as several."""
    found = dict(settings)
    if integration.notifier == "victorops" and found.get("url"):
        base, _, rest = str(found.pop("url")).rpartition("/alert/")
        key, _, routing_key = rest.rstrip("/").partition("/")
        found |= {"api_url": f"{base}/alert/"} if base else {}
        found |= {"api_key": key or REDACTED, "routing_key": routing_key}
    if integration.notifier == "opsgenie" and found.get("apiUrl"):
        found["apiUrl"] = str(found["apiUrl"]).removesuffix(_OPSGENIE_PATH)
    if integration.notifier == "dingtalk" and found.get("msgType") == "link":
        found["msgType"] = "markdown"
    return found


def _value(integration: Integration, name: str, value: Any, described: Mapping[str, Any]) -> Any:
    """Return a value as our field wants it."""
    wanted = described.get("type")
    if name in integration.lists and isinstance(value, str):
        return [part for part in re.split(r"[;,\s]+", value) if part]
    if name in integration.seconds and str(value).isdecimal():
        return format_duration(int(value))
    if wanted == "integer" and isinstance(value, str) and value.isdecimal():
        return int(value)
    if wanted == "string" and isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return value


def settings_of(
    receiver: Mapping[str, Any], path: str, *, schemas: Schemas, losses: Losses
) -> dict[str, Any] | None:
    """Return a receiver's type and settings, secrets hidden; None where Grafana has no type."""
    kind = BY_NOTIFIER.get(receiver["notifier"])
    if kind is None:
        losses.add(path, f"Grafana has no type for {receiver['notifier']}", "Use a webhook.")
        return None
    if not receiver.get("enabled", True):
        losses.add(path, "a receiver that is switched off is left out")
        return None
    integration = INTEGRATIONS[kind]
    properties = schemas.get(receiver["notifier"], {}).get("properties", {})
    theirs = {ours: name for name, ours in integration.fields.items()}
    settings: dict[str, Any] = {}
    for name, value in _chosen(receiver, properties).items():
        if name in theirs:
            settings[theirs[name]] = _text_of(integration, name, value)
        elif not (name in _WEBHOOK_ONLY and kind == "webhook"):
            losses.add(f"{path}.config.{name}", "Grafana has no such setting")
    _hide(receiver, theirs, settings, path, losses)
    for name, ours in integration.texts.items():
        if receiver.get(ours):
            settings[name] = receiver[ours]
    for name in ("title_template", "text_template", "rate_limit"):
        if receiver.get(name) and name not in integration.texts.values():
            losses.add(f"{path}.{name}", "Grafana has no such setting")
    return {"type": kind, "settings": _joined(integration, settings, receiver["config"])}


def _chosen(receiver: Mapping[str, Any], properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return what somebody chose of a configuration: neither default nor what Grafana implies."""
    implied = INTEGRATIONS[BY_NOTIFIER[receiver["notifier"]]].implied
    return {
        name: value
        for name, value in receiver["config"].items()
        if value not in ("", None, [], {})
        and value != properties.get(name, {}).get("default")
        and implied.get(name) != value
    }


def _text_of(integration: Integration, name: str, value: Any) -> Any:
    if name in integration.lists:
        return ";".join(value)
    if name in integration.seconds:
        try:
            return str(round(parse_duration_s(str(value))))
        except DurationError:
            return value
    return value


def _hide(
    receiver: Mapping[str, Any],
    theirs: Mapping[str, str],
    settings: dict[str, Any],
    path: str,
    losses: Losses,
) -> None:
    for name in receiver.get("secrets", {}):
        outer, _, inner = name.partition("/")
        if inner and outer in theirs:
            settings[theirs[outer]] = {**settings.get(theirs[outer], {}), inner: REDACTED}
        elif name in theirs:
            settings[theirs[name]] = REDACTED
        else:
            losses.add(f"{path}.secrets.{name}", "Grafana has no such setting")


def _joined(
    integration: Integration, settings: dict[str, Any], config: Mapping[str, Any]
) -> dict[str, Any]:
    """Return settings as one text where Grafana has one text for several of ours."""
    if integration.notifier == "opsgenie" and "apiUrl" in settings:
        settings["apiUrl"] = settings["apiUrl"].rstrip("/") + f"/{_OPSGENIE_PATH}"
    if integration.notifier == "victorops":
        settings["url"] = f"{config['api_url']}{REDACTED}/{config['routing_key']}"
        settings = {n: v for n, v in settings.items() if n not in _VICTOROPS_URL}
    if integration.notifier == "webhook":
        tls: dict[str, Any] = {}
        if config.get("verify_tls") is False:
            tls["insecureSkipVerify"] = True
        if config.get("ca_pem"):
            tls["caCertificate"] = config["ca_pem"]
        settings |= {"tlsConfig": tls} if tls else {}
        if "authorization_credentials" in settings:
            settings["authorization_scheme"] = "Bearer"
    return settings
