"""Installing bundles: verified in memory, written beside, put in place by one rename.

Below the root ``<kind>/<folder>`` is a link to ``.versions/<kind>/<name>/<version>-<digest>/
<folder>``. A reader sees the old version or the new one, and a crash leaves one of the two.
"""

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from detectviz.clock import utc_now
from detectviz.contracts.manifest import Manifest, Permissions
from detectviz.contracts.types import PluginKind
from detectviz.pluginhost.bundles import bundle_read, write_files
from detectviz.pluginhost.copies import copies_prune
from detectviz.pluginhost.files import PluginFiles, read_files
from detectviz.pluginhost.manifest import folder_name
from detectviz.pluginhost.signing import SIGNATURE_FILE, SignatureError, Signed, read, sign
from detectviz.pluginhost.trust import (
    TrustDecision,
    TrustPolicy,
    digest_of,
    document_decide,
    files_decide,
    read_again,
)
from detectviz.pluginhost.truststate import TrustState

COPIES = ".running"
_VERSIONS = ".versions"


class InstallError(SignatureError):
    """A plugin cannot be installed, updated or removed; the message says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A bundle that passed every check and has not been written anywhere."""

    plugin: str
    manifest: Manifest
    document: Signed
    decision: TrustDecision
    files: PluginFiles


def bundle_open(
    data: bytes, policy: TrustPolicy, *, sha256: str = "", is_downgrade_allowed: bool = False
) -> Candidate:
    """Check a bundle from the outside in; raise SignatureError with the first thing wrong.

    Checksum, then key and signature, then the contents against what was signed, then the
    manifest. Nothing is written.
    """
    bundle = bundle_read(data, sha256=sha256)
    document_decide(
        bundle.document, policy, now=utc_now(), is_downgrade_allowed=is_downgrade_allowed
    )
    files = bundle.files()
    plugin = str(bundle.document.body["plugin"])
    manifest = manifest_of(files, plugin)
    decision = files_decide(files, manifest, policy, is_downgrade_allowed=is_downgrade_allowed)
    return Candidate(
        plugin=plugin,
        manifest=manifest,
        document=bundle.document,
        decision=decision,
        files=files,
    )


def plugin_sign(
    folder: Path, key: Ed25519PrivateKey, *, issued_at: datetime, expires_at: datetime
) -> bytes:
    """Return the signature file for the plugin in ``folder``, as ``…/<kind>/<name>``.

    Raise SignatureError when a file could not be installed, or the manifest is wrong.
    """
    files = read_files(folder)
    place = folder.resolve()
    plugin = f"{place.parent.name}/{place.name.replace('_', '-')}"
    manifest = manifest_of(files, plugin)
    body = {"plugin": plugin, "version": manifest.version, "files": files.listing}
    return sign("plugin", body, key, issued_at=issued_at, expires_at=expires_at)


def manifest_of(files: PluginFiles, plugin: str) -> Manifest:
    """Return the manifest among ``files``; raise InstallError with everything to put right."""
    kind, _, name = plugin.partition("/")
    if kind not in set(PluginKind):
        known = ", ".join(each.value for each in PluginKind)
        raise InstallError(f"{kind} is no kind of plugin this version knows; it knows {known}.")
    manifest, problems = read_again(files, PluginKind(kind), name)
    if manifest is None or manifest.name != name:
        said = "; ".join(
            f"{problem.path.name}{problem.field}: {problem.message}" for problem in problems
        )
        raise InstallError(f"{plugin} cannot be used here: {said or 'it has another name'}")
    return manifest


def permissions_of(permissions: Permissions) -> frozenset[str]:
    """Return what a plugin asks for as words such as ``network:http``."""
    return frozenset(
        f"{field.name}:{value}"
        for field in fields(permissions)
        for value in getattr(permissions, field.name) or ()
    )


def install(
    candidate: Candidate, root: Path, state: TrustState, *, is_downgrade: bool = False
) -> Path:
    """Write the plugin and put it in place; return its folder. The former version stays beside.

    Nothing older is accepted from then on; a downgrade makes it forget what was newer. Raise
    InstallError when the disk refuses; what was in place stays there.
    """
    manifest = candidate.manifest
    folder = folder_name(manifest.name)
    versions = root / _VERSIONS / manifest.kind.value / manifest.name
    place = versions / f"{manifest.version}-{candidate.decision.digest[:12]}"
    link = root / manifest.kind.value / folder
    try:
        with _locked(root):
            former = _target(link)
            if not _is_whole(place / folder, candidate.decision.digest):
                _write(candidate.files, place, folder)
            if is_downgrade:
                state.lower(candidate.plugin, candidate.document)
            _switch(link, Path(os.path.relpath(place / folder, link.parent)))
            state.remember(candidate.plugin, candidate.document)
            copies_prune(root / COPIES, candidate.plugin)
            _prune(versions, {place, former.parent} if former else {place})
    except OSError as error:
        raise InstallError(f"{candidate.plugin} cannot be written: {error}.") from error
    return place / folder


def remove(plugin: str, root: Path) -> None:
    """Take an installed plugin away; raise InstallError when it is not installed."""
    kind, _, name = plugin.partition("/")
    link = root / kind / folder_name(name)
    if installed_folder(plugin, root) is None:
        raise InstallError(
            f"{plugin} is not installed; built-in plugins are switched off: DETECTVIZ_PLUGINS_OFF."
        )
    try:
        with _locked(root):
            link.unlink()
            _sync(link.parent)
            copies_prune(root / COPIES, plugin)
            shutil.rmtree(root / _VERSIONS / kind / name, ignore_errors=True)
    except OSError as error:
        raise InstallError(f"{plugin} cannot be removed: {error}.") from error


def installed_folder(plugin: str, root: Path) -> Path | None:
    """Return where an installed plugin lies, None when it is not installed."""
    kind, _, name = plugin.partition("/")
    if kind not in set(PluginKind) or not name.replace("-", "").isalnum():
        return None
    return _target(root / kind / folder_name(name))


def installed_list(root: Path) -> dict[str, str]:
    """Return the version of every installed plugin, as their signatures say it."""
    found: dict[str, str] = {}
    for link in sorted(root.glob("[a-z]*/*")):
        folder = _target(link)
        if folder is not None:
            try:
                body = read((folder / SIGNATURE_FILE).read_bytes(), "plugin").body
            except (OSError, SignatureError):
                continue
            found[str(body["plugin"])] = str(body["version"])
    return found


def _write(files: PluginFiles, place: Path, folder: str) -> None:
    shutil.rmtree(place, ignore_errors=True)
    staging = place.with_name(f".new-{secrets.token_hex(8)}")
    try:
        write_files(files, staging / folder)
        staging.replace(place)
        _sync(place.parent)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _is_whole(folder: Path, digest: str) -> bool:
    try:
        return digest_of(read_files(folder)) == digest
    except SignatureError:
        return False


def _switch(link: Path, target: Path) -> None:
    link.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    if link.exists() and not link.is_symlink():
        raise FileExistsError(f"{link} was put there by hand; move it away")
    new = link.with_name(f".{link.name}-{secrets.token_hex(8)}")
    new.symlink_to(target)
    new.replace(link)
    _sync(link.parent)


def _target(link: Path) -> Path | None:
    if not link.is_symlink():
        return None
    target = link.resolve()
    versions = (link.parent.parent / _VERSIONS).resolve()
    return target if target.is_relative_to(versions) and target.is_dir() else None


def _prune(versions: Path, kept: set[Path]) -> None:
    names = {place.name for place in kept}
    for place in versions.iterdir():
        if place.name not in names:
            shutil.rmtree(place, ignore_errors=True)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _locked(root: Path) -> Iterator[None]:
    root.mkdir(mode=0o755, parents=True, exist_ok=True)
    with (root / ".lock").open("wb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
