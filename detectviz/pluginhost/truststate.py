"""What was seen before, kept in one file: nothing older is accepted later.

Of every plugin the highest version by each key that signed it, of every registry the highest index.
What a revoked key signed does not count, so that a thief who published version 999 does not block
the owner's next release. An unreadable file refuses everything: forgetting is what an attacker
wants.
"""

import fcntl
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from detectviz.pluginhost.signing import SignatureError, Signed, time_text
from detectviz.pluginhost.versions import VersionKey, version_key

_FORMAT = 1


class RollbackError(SignatureError):
    """Something older than what was here before."""


class TrustState:
    """The highest seen, shared by every process that uses the file; safe between them."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def was_signed(self, plugin: str) -> bool:
        """Return whether a signed version of the plugin was ever accepted here."""
        return bool(self._read()["plugins"].get(plugin))

    def require_newest(self, plugin: str, document: Signed, revoked: Collection[str]) -> None:
        """Raise RollbackError when a newer version, or a newer signature of it, was accepted."""
        version = str(document.body["version"])
        for key_id, seen in self._read()["plugins"].get(plugin, {}).items():
            if key_id in revoked:
                continue
            newer = version_key(seen["version"])
            if newer > version_key(version):
                raise RollbackError(
                    f"Version {seen['version']} of {plugin} was here before and {version} is "
                    "older; an older version may bring back a hole that was closed."
                )
            is_same = key_id == document.key_id and newer == version_key(version)
            if is_same and time_text(document.issued_at) < seen["issued_at"]:
                raise RollbackError(
                    f"{plugin} {version} was signed again since ({seen['issued_at']}); "
                    "get the newer file."
                )

    def remember(self, plugin: str, document: Signed) -> None:
        """Keep the version as seen by its key; call once everything else was judged."""
        entry = _entry(document)
        if self._read()["plugins"].get(plugin, {}).get(document.key_id) == entry:
            return
        with self._write() as state:
            keys = state["plugins"].setdefault(plugin, {})
            keys[document.key_id] = max(keys.get(document.key_id, entry), entry, key=_age)

    def lower(self, plugin: str, document: Signed) -> None:
        """Forget newer versions of the plugin: an administrator has asked for this one."""
        with self._write() as state:
            state["plugins"][plugin] = {document.key_id: _entry(document)}

    def advance_registry(self, registry: str, document: Signed) -> None:
        """Keep the version of an index; raise RollbackError for an older or a second one."""
        version = document.body["version"]
        with self._write() as state:
            seen = state["registries"].get(registry)
            if seen and seen["version"] > version:
                raise RollbackError(
                    f"The registry {registry} answered index {version} and {seen['version']} was "
                    "seen before; somebody may be replaying an old one."
                )
            if seen and seen["version"] == version and seen["digest"] != document.digest:
                raise RollbackError(
                    f"The registry {registry} has two different indexes {version}; its owner must "
                    "publish a new one."
                )
            state["registries"][registry] = {"version": version, "digest": document.digest}

    def _read(self) -> dict[str, dict[str, Any]]:
        empty: dict[str, dict[str, Any]] = {"plugins": {}, "registries": {}}
        try:
            state = orjson.loads(self.path.read_bytes())
            if state["format"] == _FORMAT:
                return {name: dict(state[name]) for name in empty}
            problem = "it is of another format"
        except FileNotFoundError:
            return empty
        except (OSError, ValueError, KeyError, TypeError) as error:
            problem = str(error)
        raise SignatureError(
            f"What was seen before cannot be read ({self.path}: {problem}); restore the file "
            "from a backup, or delete it to begin anew."
        )

    @contextmanager
    def _write(self) -> Iterator[dict[str, dict[str, Any]]]:
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(self.path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise SignatureError(f"{self.path} cannot be written: {error.strerror}.") from None
        with os.fdopen(lock, "rb") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            state = self._read()
            yield state
            new = self.path.with_suffix(".new")
            with new.open("wb") as file:
                file.write(orjson.dumps({"format": _FORMAT, **state}))
                file.flush()
                os.fsync(file.fileno())
            new.replace(self.path)


def _entry(document: Signed) -> dict[str, str]:
    return {"version": document.body["version"], "issued_at": time_text(document.issued_at)}


def _age(entry: dict[str, str]) -> tuple[VersionKey, str]:
    return version_key(entry["version"]), entry["issued_at"]
