"""Registries: folders with bundles and one signed index, on a disk or behind HTTP.

The index names every bundle with its size and SHA-256, carries a version that only grows and a
date after which it is believed no longer, so that neither an old index nor a withheld one goes
unnoticed for long. The first registry that has a plugin is the only one asked for it: a second
one cannot put a higher version in its place.
"""

import hashlib
import os
import re
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from packaging.specifiers import InvalidSpecifier, SpecifierSet

import detectviz
from detectviz.clock import utc_now
from detectviz.contracts.errors import PluginError
from detectviz.contracts.network import HttpClient, HttpRequest
from detectviz.pluginhost.bundles import BUNDLE_ENDING, LARGEST_BUNDLE_BYTES, bundle_read
from detectviz.pluginhost.installing import InstallError, manifest_of, permissions_of
from detectviz.pluginhost.signing import LARGEST_INDEX_BYTES, SignatureError, read, sign
from detectviz.pluginhost.trust import TrustPolicy, index_verify
from detectviz.pluginhost.versions import version_key

INDEX_FILE = "index.json"
_TIMEOUT_S = 60.0
_OK = 200
_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")  # noqa: TID251 - our own constant
_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]{0,199}")  # noqa: TID251 - our own constant
_SHA256 = re.compile(r"[0-9a-f]{64}")  # noqa: TID251 - our own constant
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_TEXTS = ("version", "file", "sha256", "title", "description", "engine_version")
_LISTS = ("permissions", "dependencies")


class RegistryError(InstallError):
    """A registry cannot be asked, or its answer cannot be believed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """One registry: ``file:///folder`` or ``https://host/path``; the token goes there only."""

    name: str
    url: str
    token: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One version of one plugin in a registry, as its index says."""

    registry: str
    plugin: str
    version: str
    file: str
    sha256: str
    size: int
    title: str
    description: str
    engine_version: str
    permissions: tuple[str, ...]
    dependencies: tuple[str, ...]

    @property
    def fits(self) -> bool:
        """Return whether it is made for this version of Detectviz."""
        try:
            allowed = SpecifierSet(self.engine_version)
        except InvalidSpecifier:
            return False
        return allowed.contains(detectviz.__version__, prereleases=True)


def registries_parse(urls: Sequence[str], tokens: Sequence[str] = ()) -> tuple[Registry, ...]:
    """Return registries written as ``name=url`` with tokens written as ``name=token``.

    Raise ValueError with a sentence.
    """
    secrets = dict(_pair(word, "name=token", is_secret=True) for word in tokens)
    found: dict[str, Registry] = {}
    for word in urls:
        name, url = _pair(word, "name=url")
        parts = urlsplit(url)
        is_file = parts.scheme == "file" and not parts.netloc
        if not is_file and not (parts.scheme in {"http", "https"} and parts.hostname):
            raise ValueError(f"{url} is no registry; write file:///folder or https://host/path.")
        token = secrets.pop(name, "")
        if token and parts.scheme != "https" and parts.hostname not in _LOOPBACK:
            raise ValueError(f"The token of {name} would travel in the open; use https.")
        if name in found:
            raise ValueError(f"There are two registries called {name}.")
        found[name] = Registry(name=name, url=url.rstrip("/"), token=token)
    if secrets:
        raise ValueError(f"There is a token for {min(secrets)}, which is no registry.")
    return tuple(found.values())


class RegistryClient:
    """Asks registries. Nothing it returns has not been verified."""

    def __init__(
        self, registries: Sequence[Registry], policy: TrustPolicy, http: HttpClient
    ) -> None:
        self._registries = {registry.name: registry for registry in registries}
        self._policy = policy
        self._http = http

    def releases(self) -> tuple[Release, ...]:
        """Return what all registries have, in their order; raise RegistryError."""
        found: dict[str, str] = {}
        releases: list[Release] = []
        for registry in self._registries.values():
            releases += [
                release
                for release in self.index(registry)
                if found.setdefault(release.plugin, registry.name) == registry.name
            ]
        return tuple(releases)

    def index(self, registry: Registry) -> tuple[Release, ...]:
        """Return what one registry has, once its index was verified; raise RegistryError."""
        data = self._get(registry, INDEX_FILE, LARGEST_INDEX_BYTES)
        try:
            document = read(data, "index")
            index_verify(document, self._policy, registry=registry.name, now=utc_now())
            if document.body["registry"] != registry.name:
                raise RegistryError(f"it is the index of {document.body['registry']!r}")
            releases = _releases(registry.name, document.body["plugins"])
            self._policy.state.advance_registry(registry.name, document)
        except (SignatureError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise RegistryError(f"The registry {registry.name}: {error}") from error
        return releases

    def fetch(self, release: Release) -> bytes:
        """Return a bundle that has the size and checksum its release says; raise RegistryError."""
        data = self._get(self._registries[release.registry], release.file, release.size)
        if len(data) != release.size or hashlib.sha256(data).hexdigest() != release.sha256:
            raise RegistryError(
                f"{release.file} of {release.registry} is not what its index says; tell its owner."
            )
        return data

    def _get(self, registry: Registry, file: str, most_bytes: int) -> bytes:
        parts = urlsplit(registry.url)
        if parts.scheme == "file":
            return _get_file(registry, Path(unquote(parts.path)) / file, most_bytes)
        headers = [("Authorization", f"Bearer {registry.token}")] if registry.token else []
        request = HttpRequest(
            url=f"{registry.url}/{file}",
            headers=headers,
            timeout_s=_TIMEOUT_S,
            follow_redirects=False,  # the token is meant for this server
            max_body_bytes=most_bytes + 1,
            decompress=False,
        )
        try:
            response = self._http.fetch(request)
        except PluginError as error:
            raise RegistryError(f"The registry {registry.name}: {error.message}") from error
        if response.status_code != _OK or len(response.body) > most_bytes:
            raise RegistryError(
                f"The registry {registry.name} answered {file} with status "
                f"{response.status_code} and {len(response.body)} bytes."
            )
        return response.body


def release_choose(releases: Sequence[Release], plugin: str, version: str = "") -> Release:
    """Return the version asked for, else the newest that fits and is no prerelease."""
    known = [release for release in releases if release.plugin == plugin]
    if not known:
        raise RegistryError(f"No registry has {plugin}; see: detectviz plugins search.")
    exact = [release for release in known if release.version == version]
    fitting = [each for each in known if each.fits and "-" not in each.version]
    chosen = exact if version else fitting
    if not chosen:
        have = ", ".join(sorted((each.version for each in known), key=version_key))
        wanted = f"{plugin}@{version}" if version else f"{plugin} for Detectviz"
        own = "" if version else f" {detectviz.__version__}"
        raise RegistryError(f"There is no {wanted}{own}; there are: {have}.")
    return max(chosen, key=lambda release: version_key(release.version))


def index_make(
    folder: Path,
    key: Ed25519PrivateKey,
    *,
    registry: str,
    version: int,
    issued_at: datetime,
    expires_at: datetime,
) -> bytes:
    """Return the signed index of all bundles in ``folder``; raise SignatureError naming a bad one.

    The bundles' own signatures are for those who install them to judge.
    """
    plugins: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(folder.glob(f"*{BUNDLE_ENDING}")):
        data = path.read_bytes()
        bundle = bundle_read(data)
        plugin = str(bundle.document.body["plugin"])
        manifest = manifest_of(bundle.files(), plugin)
        plugins.setdefault(plugin, []).append(
            {
                "version": manifest.version,
                "file": path.name,
                "sha256": hashlib.sha256(data).hexdigest(),
                "bytes": len(data),
                "title": manifest.title,
                "description": manifest.description,
                "engine_version": manifest.engine_version,
                "permissions": sorted(permissions_of(manifest.permissions)),
                "dependencies": list(manifest.dependencies),
            }
        )
    body = {"registry": registry, "version": version, "plugins": plugins}
    return sign("index", body, key, issued_at=issued_at, expires_at=expires_at)


def _pair(word: str, form: str, *, is_secret: bool = False) -> tuple[str, str]:
    name, _, value = word.partition("=")
    if not _NAME.fullmatch(name) or not value:
        shown = "a token" if is_secret else repr(word)
        raise ValueError(f"{shown} is not written as {form}.")
    return name, value


def _releases(registry: str, plugins: Mapping[str, Any]) -> tuple[Release, ...]:
    return tuple(
        _release(registry, plugin, entry)
        for plugin, entries in plugins.items()
        for entry in entries
    )


def _release(registry: str, plugin: str, entry: Mapping[str, Any]) -> Release:
    if set(entry) != {*_TEXTS, *_LISTS, "bytes"}:
        raise ValueError(f"the index says of {plugin} other things than it must")
    texts = {name: _text(entry[name]) for name in _TEXTS}
    version_key(texts["version"])
    if not _FILE.fullmatch(texts["file"]) or not texts["file"].endswith(BUNDLE_ENDING):
        raise ValueError(f"{texts['file']!r} is no name of a bundle")
    if not _SHA256.fullmatch(texts["sha256"]):
        raise ValueError(f"there is no SHA-256 of {texts['file']}")
    size = entry["bytes"]
    if type(size) is not int or not 0 < size <= LARGEST_BUNDLE_BYTES:
        raise ValueError(f"{texts['file']} has no size that a bundle may have")
    lists = {name: tuple(_text(each) for each in entry[name]) for name in _LISTS}
    return Release(registry=registry, plugin=plugin, size=size, **texts, **lists)  # type: ignore[arg-type]  # by name, checked above


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("the index has something else where a text belongs")
    return value


def _get_file(registry: Registry, path: Path, most_bytes: int) -> bytes:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            data = file.read(most_bytes + 1) if stat.S_ISREG(os.fstat(handle).st_mode) else b""
    except OSError as error:
        raise RegistryError(
            f"The registry {registry.name}: {path} cannot be read: {error.strerror}."
        ) from error
    if not data or len(data) > most_bytes:
        raise RegistryError(f"The registry {registry.name}: {path} has a size it cannot have.")
    return data
