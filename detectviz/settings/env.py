"""Read settings from the environment: ``X``, or the file named by ``X_FILE``."""

import ipaddress
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

from detectviz.composition.building import Deployment, deployment_of
from detectviz.composition.loading import composition_load
from detectviz.composition.problems import CompositionError

T = TypeVar("T")
IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

_declared: dict[str, str] = {}
_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off", ""}


def raw(name: str) -> str | None:
    """Return the value of ``name``, or the stripped content of the file ``name_FILE`` names."""
    path = os.environ.get(f"{name}_FILE")  # noqa: TID251 - this module is the one reader
    if path:
        try:
            return Path(path).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ImproperlyConfigured(
                f"{name}_FILE: cannot read {path}: {error.strerror}"
            ) from error
    value = os.environ.get(name)  # noqa: TID251 - this module is the one reader
    return value or _declared.get(name, value)


def declare(variables: Mapping[str, str]) -> None:
    """Let ``variables`` stand in for those that the environment does not set."""
    _declared.clear()
    _declared.update(variables)


def deployment() -> Deployment:
    """Return what the composition that was chosen makes of this process; nothing without one."""
    declare({})
    reference = text("DETECTVIZ_COMPOSITION")
    if not reference:
        return Deployment()
    try:
        composition, document = composition_load(reference)
        return deployment_of(composition, document, raw, pool=text("DETECTVIZ_POOL"))
    except CompositionError as error:
        raise ImproperlyConfigured(str(error)) from error


def parsed(name: str, default: T, parse: Callable[[str], T], expected: str) -> T:
    """Return ``parse(value)``, or ``default`` when unset; a bad value names the variable."""
    value = raw(name)
    if value is None or not value.strip():
        return default
    try:
        return parse(value.strip())
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}={value!r} is wrong: expected {expected}.") from error


def text(name: str, default: str = "") -> str:
    """Return a string setting."""
    return parsed(name, default, str, "text")


def integer(name: str, default: int, *, minimum: int = 0, maximum: int = 2**31) -> int:
    """Return a whole number within bounds."""

    def parse(value: str) -> int:
        number = int(value)
        if not minimum <= number <= maximum:
            raise ValueError(value)
        return number

    return parsed(name, default, parse, f"a whole number from {minimum} to {maximum}")


def boolean(name: str, *, default: bool) -> bool:
    """Return a yes/no setting."""

    def parse(value: str) -> bool:
        lowered = value.lower()
        if lowered in _TRUE:
            return True
        if lowered in _FALSE:
            return False
        raise ValueError(value)

    return parsed(name, default, parse, "one of true, false, 1, 0, yes, no")


def choice(name: str, default: str, choices: tuple[str, ...]) -> str:
    """Return one of ``choices``."""

    def parse(value: str) -> str:
        if value not in choices:
            raise ValueError(value)
        return value

    return parsed(name, default, parse, "one of " + ", ".join(choices))


def words(name: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return a comma-separated list."""
    return parsed(
        name,
        default,
        lambda value: tuple(word.strip() for word in value.split(",") if word.strip()),
        "a comma-separated list",
    )


def pairs(name: str) -> dict[str, str]:
    """Return a comma-separated list of ``key=value``."""

    def parse(value: str) -> dict[str, str]:
        found: dict[str, str] = {}
        for word in filter(None, (word.strip() for word in value.split(","))):
            key, separator, text = word.partition("=")
            if not (separator and key.strip() and text.strip()):
                raise ValueError(word)
            found[key.strip()] = text.strip()
        return found

    return parsed(name, {}, parse, "a comma-separated list of key=value")


def networks(name: str) -> tuple[IpNetwork, ...]:
    """Return a comma-separated list of networks such as ``10.0.0.0/8,fd00::/8``."""
    return parsed(
        name,
        (),
        lambda value: tuple(ipaddress.ip_network(word.strip()) for word in value.split(",")),
        "a comma-separated list of networks such as 10.0.0.0/8,fd00::/8",
    )


def embedded_hosts(host: str, external_url: str) -> tuple[str, ...]:
    """Return the names the embedded product answers to.

    Where it listens on one address: that, loopback and the name people type, so that a page
    elsewhere can't reach it by a name of its own (DNS rebinding). On all addresses: any name.
    """
    try:
        if ipaddress.ip_address(host).is_unspecified:
            return ("*",)
    except ValueError:
        pass  # a name, not an address
    names = ["localhost", "127.0.0.1", "[::1]", f"[{host}]" if ":" in host else host]
    try:
        typed = urlsplit(external_url).hostname
    except ValueError:
        typed = None  # told by a system check
    if typed:
        names.append(f"[{typed}]" if ":" in typed else typed)
    return tuple(dict.fromkeys(names))


def generated_secret(name: str, path: Path) -> str:
    """Return the secret ``name``, else the one kept at ``path``, made there once (mode 0600)."""
    value = raw(name)
    if value:
        return value
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text(encoding="ascii").strip()
    with os.fdopen(handle, "w", encoding="ascii") as file:
        secret = secrets.token_urlsafe(48)
        file.write(secret)
    return secret


def database(url: str, default_path: Path) -> dict[str, object]:
    """Translate ``DETECTVIZ_DATABASE_URL`` into a Django database entry."""
    if not url:
        return sqlite_database(default_path)
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        return sqlite_database(Path(unquote(parts.path)))
    if parts.scheme not in {"postgres", "postgresql"}:
        raise ImproperlyConfigured(
            "DETECTVIZ_DATABASE_URL is wrong: expected postgresql://user:password@host:5432/name "
            "or sqlite:////absolute/path."
        )
    return {
        "ENGINE": "detectviz.tenancy.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or 5432),
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"application_name": "detectviz"},
    }


def sqlite_database(path: Path) -> dict[str, object]:
    """Return a Django entry for SQLite: WAL, and write transactions that queue instead of fail."""
    return {
        "ENGINE": "detectviz.runtime.sqlite",
        "NAME": path,
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            "timeout": 20,
            "transaction_mode": "IMMEDIATE",
            "init_command": (
                "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;PRAGMA temp_store=MEMORY;"
                "PRAGMA cache_size=-20000;PRAGMA journal_size_limit=67108864;"
                "PRAGMA wal_autocheckpoint=4000;"  # pages of indexes are written back less often
            ),
        },
    }
