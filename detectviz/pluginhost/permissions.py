"""What one plugin may do during one call: its manifest's permissions as far as they are granted."""

import ipaddress
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Final
from urllib.parse import urlsplit

from detectviz.contracts.errors import EgressDeniedError, PluginError
from detectviz.contracts.manifest import Manifest, Permissions
from detectviz.pluginhost.refusals import Refusal, ledger
from detectviz.pluginhost.scope import current_scope

CONFIGURED: Final = "config"
_MOST_HOSTS: Final = 20_000
Grants = Callable[[Manifest], Permissions]


def granted_as_declared(manifest: Manifest) -> Permissions:
    """Grant everything the manifest asks for: for plugins the administrator put there himself."""
    return manifest.permissions


def may_hear(permissions: Permissions, event: str) -> bool:
    """Tell whether a plugin with these permissions is told of events of this type."""
    return any(fnmatchcase(f"subscribe:{event}", each) for each in permissions.events)


@dataclass(slots=True, kw_only=True)
class Guard:
    """Decides for one call. ``named`` are the hosts the configuration of the call names."""

    manifest: Manifest
    granted: Permissions
    named: set[str] = field(default_factory=set)

    def require_network(self, protocol: str, host: str, port: int | None = None) -> None:
        """Raise EgressDeniedError unless ``host`` may be reached by ``protocol``."""
        if protocol not in self.granted.network:
            raise self._refused("network", f"{protocol} to {host}", "network")
        if not self.allows_host(host, port):
            raise self._refused("hosts", host if port is None else f"{host}:{port}", "hosts")

    def require_url(self, url: str) -> None:
        """Raise EgressDeniedError unless the host of ``url`` may be reached by HTTP."""
        host, port = _host_of(url)
        self.require_network("http", host, port)

    def allows_host(self, host: str, port: int | None) -> bool:
        """Tell whether a pattern of the permission ``hosts`` covers ``host``."""
        name = host.strip("[]").rstrip(".").lower()
        patterns = self.granted.hosts or (CONFIGURED,)
        return any(_covers(pattern, name, port, self.named) for pattern in patterns)

    def require_file(self, path: str) -> None:
        """Raise PluginError unless a pattern of the permission ``files`` covers ``path``."""
        if not any(fnmatchcase(path, each) or each == path for each in self.granted.files):
            self._record("files", path)
            raise PluginError(
                f"The plugin may not read {path}: its manifest does not ask for it under "
                "permissions.files, or that is not approved.",
                permanent=True,
            )

    def require_any_files(self, wanted: str) -> None:
        """Raise PluginError unless the plugin may read files of its org at all."""
        if not self.granted.files:
            self.require_file(wanted)

    def require_mail(self) -> None:
        """Raise EgressDeniedError unless the plugin may send mail."""
        if "mail" not in self.granted.network:
            raise self._refused("network", "mail", "network")

    def require_commands(self, program: str) -> None:
        """Raise EgressDeniedError unless the plugin may run the operator's scripts."""
        if "scripts" not in self.granted.commands:
            raise self._refused("commands", program, "commands")

    def secrets(self, stored: Mapping[str, str]) -> dict[str, str]:
        """Return the secrets that are granted by name; withheld ones are recorded."""
        kept = {name: text for name, text in stored.items() if name in self.granted.secrets}
        for name in stored.keys() - kept.keys():
            self._record("secrets", name)
        return kept

    def name_hosts(self, texts: Iterator[str]) -> None:
        """Add the hosts that configured texts name."""
        for text in texts:
            if len(self.named) < _MOST_HOSTS:
                self.named.update(hosts_in(text))

    def _refused(self, permission: str, wanted: str, key: str) -> EgressDeniedError:
        self._record(permission, wanted)
        return EgressDeniedError(
            f"The plugin {self.manifest.name} may not use {wanted}: its manifest does not ask for "
            f"it under permissions.{key}, or that is not approved."
        )

    def _record(self, permission: str, wanted: str) -> None:
        ledger.record(
            Refusal(
                kind=self.manifest.kind,
                plugin=self.manifest.name,
                permission=permission,
                wanted=wanted,
                org=current_scope(),
            )
        )


def hosts_in(text: str) -> Iterator[str]:
    """Yield the host that ``text`` names, as a URL or as ``host``, ``host:port``, ``[v6]:port``."""
    if len(text) > 2_000 or any(each.isspace() for each in text):  # noqa: PLR2004 - no host is that long
        return
    host, _ = _host_of(text if "//" in text else f"//{text}")
    if host:
        yield host


def _host_of(url: str) -> tuple[str, int | None]:
    try:
        parts = urlsplit(url)
        return (parts.hostname or "").rstrip(".").lower(), parts.port
    except ValueError:
        return "", None


def _covers(pattern: str, host: str, port: int | None, named: set[str]) -> bool:
    if pattern == CONFIGURED:
        return host in named
    if pattern == "*":
        return True
    wanted, colon, wanted_port = (
        pattern.rpartition(":") if pattern.count(":") == 1 else (pattern, "", "")
    )
    if colon and str(port) != wanted_port:
        return False
    if "/" in wanted:
        return _is_in(host, wanted)
    if wanted.startswith("*."):
        return host.endswith(wanted[1:])
    return host == wanted


def _is_in(host: str, network: str) -> bool:
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False
