"""From an address to a service that may be called, and nothing else."""

import re
from typing import Protocol, cast
from urllib.parse import parse_qsl

from detectviz.contracts.errors import ConfigurationError
from detectviz.contracts.network import HttpClient
from plugins.notifiers.apprise.schemes import FIXED_HOSTS, GUARDED_HOSTS, REFUSED_OPTIONS

_FIELD = "/url"
_PORTS = {True: 443, False: 80}


class Service(Protocol):
    """What is used of ``apprise.NotifyBase``."""

    host: str | None
    port: int | None
    secure: bool
    mode: str
    redirects: bool
    discovery: bool
    overflow_mode: str
    socket_connect_timeout: float
    socket_read_timeout: float


class ResultLog(Protocol):
    """One line a service wrote while it worked."""

    message: str


class Result(Protocol):
    """What is used of ``apprise.AppriseResult``."""

    timeout_count: int

    def __bool__(self) -> bool:
        """Say whether every target accepted."""

    def logs(self) -> "list[ResultLog]":
        """Return what was said on the way."""


def open_service(url: str, http: HttpClient, timeout_s: float) -> Service:
    """Return the service of ``url``, with time limits and without redirects.

    Raise ConfigurationError when the address is not understood or not allowed, EgressDeniedError
    when the guard refuses its host. Makes no request.
    """
    # apprise takes 80 ms to import and is needed only where such a contact point exists
    import apprise  # noqa: PLC0415 - see above

    scheme = url.partition("://")[0].lower()
    _require_allowed_address(url, scheme)
    asset = apprise.AppriseAsset(
        storage_mode=apprise.PersistentStoreMode.MEMORY,
        service_timeout=timeout_s,
        http_redirects=False,
        secure_logging=True,
        interpret_emojis=False,
    )
    made = apprise.Apprise.instantiate(url, asset=asset)
    if made is None or str(made.schema).lower() not in _family(scheme):
        message = f"The {scheme}:// address is incomplete; see Apprise's page for that service."
        raise ConfigurationError(message, field=_FIELD)
    service = cast("Service", made)
    service.redirects = False
    service.discovery = False
    service.overflow_mode = "truncate"
    service.socket_connect_timeout = min(4.0, timeout_s)
    service.socket_read_timeout = timeout_s
    if scheme in GUARDED_HOSTS:
        _require_allowed_host(service, scheme, http)
    return service


def send(service: Service, title: str, body: str) -> Result:
    """Send through ``service`` and return what came of it; failures are in the result."""
    # as above: only once such a contact point exists
    import apprise  # noqa: PLC0415 - see above

    sender = apprise.Apprise()
    sender.add(cast("apprise.NotifyBase", service))
    return cast("Result", sender.notify(body=body, title=title, body_format="text"))


def _require_allowed_address(url: str, scheme: str) -> None:
    if scheme not in FIXED_HOSTS | GUARDED_HOSTS:
        message = (
            f"{scheme}:// is not among the allowed services; "
            "use another one, or the webhook notifier."
        )
        raise ConfigurationError(message, field=_FIELD)
    query = url.partition("?")[2]
    for name, _ in parse_qsl(query, keep_blank_values=True):
        if name.strip().lower() in REFUSED_OPTIONS:
            message = f"The option {name.strip().lower()} is not allowed here; remove it."
            raise ConfigurationError(message, field=_FIELD)


def _require_allowed_host(service: Service, scheme: str, http: HttpClient) -> None:
    if scheme.startswith("ntfy") and service.mode == "cloud":
        return
    host = service.host or ""
    # Anything else could be read as another host once it is part of a URL.
    if not re.fullmatch(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]", host):
        message = "The host of the address is not a plain name or address; write it out."
        raise ConfigurationError(message, field=_FIELD)
    http.require_allowed(host.strip("[]"), service.port or _PORTS[service.secure])


def _family(scheme: str) -> set[str]:
    # Apprise turns gotifys:// into http or https once it has read it.
    return {scheme, scheme.removesuffix("s"), f"{scheme}s", "http", "https"}
