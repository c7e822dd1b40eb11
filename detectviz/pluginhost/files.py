"""The files of a plugin: read once, named harmlessly, compared with what was signed.

What has been read is what is used: code is imported from these bytes (``verified_imports``), so
that nothing a folder holds later matters. Names are plain ASCII without hidden parts; two names
that differ in case only are one name on some machines and are refused.
"""

import hashlib
import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from detectviz.pluginhost.signing import SIGNATURE_FILE, SignatureError

MOST_FILES = 1000
LARGEST_FILE_BYTES = 8 << 20
LARGEST_PLUGIN_BYTES = 32 << 20
_LONGEST_PATH = 100  # what a plain tar header holds
_DEEPEST = 8
_IGNORED_FOLDER = "__pycache__"
_REFUSED_ENDINGS = (".pth", ".pyc", ".pyo", ".so", ".pyd", ".dll", ".dylib", ".egg-link")
_PART = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,78}[A-Za-z0-9_-])?")  # noqa: TID251 - our own constant
_RESERVED = re.compile(r"(?i)(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?")  # noqa: TID251 - our own constant
_SHA256 = re.compile(r"[0-9a-f]{64}")  # noqa: TID251 - our own constant


@dataclass(frozen=True, kw_only=True)
class PluginFiles:
    """All files of one plugin by their path; the signature file stands apart."""

    contents: Mapping[str, bytes]
    signature: bytes | None = None

    @cached_property
    def listing(self) -> dict[str, dict[str, Any]]:
        """Return path, SHA-256 and size of every file, as a signature lists them."""
        return {
            path: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
            for path, data in sorted(self.contents.items())
        }


def read_files(folder: Path) -> PluginFiles:
    """Read the plugin in ``folder``, compiled leftovers aside; raise SignatureError.

    Links, devices and names that could mean something else are refused, not skipped.
    """
    contents: dict[str, bytes] = {}
    left = LARGEST_PLUGIN_BYTES
    for path in _walk(folder, ""):
        data = _read(folder / path)
        left -= len(data)
        contents[path] = data
        if left < 0 or len(contents) > MOST_FILES + 1:
            raise SignatureError("The plugin has more or larger files than a plugin may have.")
    signature = contents.pop(SIGNATURE_FILE, None)
    require_names(list(contents))
    return PluginFiles(contents=contents, signature=signature)


def require_listing(listing: object) -> dict[str, tuple[str, int]]:
    """Return SHA-256 and size by path; raise SignatureError where a list could not be ours."""
    if not isinstance(listing, dict) or not listing:
        raise SignatureError("The signature lists no files.")
    require_names(list(listing))
    found: dict[str, tuple[str, int]] = {}
    for path, entry in listing.items():
        if not isinstance(entry, dict) or set(entry) != {"sha256", "bytes"}:
            raise SignatureError(f"The signature says of {path} other things than it must.")
        digest, size = entry["sha256"], entry["bytes"]
        if not isinstance(digest, str) or not _SHA256.fullmatch(digest):
            raise SignatureError(f"The signature has no SHA-256 of {path}.")
        if type(size) is not int or not 0 <= size <= LARGEST_FILE_BYTES:
            raise SignatureError(f"The signature has no size of {path} that a file may have.")
        found[path] = (digest, size)
    if sum(size for _, size in found.values()) > LARGEST_PLUGIN_BYTES:
        raise SignatureError("The files are larger together than a plugin may be.")
    return found


def require_same(files: PluginFiles, listing: Mapping[str, tuple[str, int]]) -> None:
    """Raise SignatureError naming the first file that is not what was signed."""
    have = {path: (entry["sha256"], entry["bytes"]) for path, entry in files.listing.items()}
    for path in sorted(set(listing) - set(have)):
        raise SignatureError(f"{path} is signed and missing; install the plugin again.")
    for path in sorted(set(have) - set(listing)):
        raise SignatureError(f"{path} is not among the signed files; remove it.")
    for path in sorted(have):
        if have[path] != listing[path]:
            raise SignatureError(
                f"{path} was changed after it was signed; install the plugin again."
            )


def require_names(paths: list[str]) -> None:
    """Raise SignatureError unless every path is harmless and none can be taken for another."""
    if len(paths) > MOST_FILES:
        raise SignatureError(f"The plugin has more than {MOST_FILES} files.")
    places: set[str] = set()
    for path in paths:
        reason = _refusal(path)
        if reason:
            raise SignatureError(f"{path!r} cannot be a file of a plugin: {reason}.")
        if path.lower() in places:
            raise SignatureError(f"{path} differs from another file in case only; rename one.")
        places.add(path.lower())
    for place in places:
        parent = place.rpartition("/")[0]
        while parent:
            if parent in places:
                raise SignatureError(f"{parent} is a file and a folder; rename one.")
            parent = parent.rpartition("/")[0]


def _refusal(path: str) -> str:
    parts = path.split("/")
    if len(path) > _LONGEST_PATH or len(parts) > _DEEPEST:
        return f"use at most {_LONGEST_PATH} characters and {_DEEPEST} levels"
    if not all(_PART.fullmatch(part) for part in parts):
        return "use letters, digits, dots, dashes and underscores; nothing hidden"
    if any(_RESERVED.fullmatch(part) for part in parts):
        return "the name means a device on some machines"
    lowered = path.lower()
    if lowered.endswith(_REFUSED_ENDINGS) or f"/{_IGNORED_FOLDER}/" in f"/{lowered}/":
        return "compiled code and path files are not accepted"
    if lowered == SIGNATURE_FILE:
        return "the name is taken"
    return ""


def _walk(folder: Path, prefix: str) -> Iterator[str]:
    try:
        entries = sorted(os.scandir(folder / prefix), key=lambda entry: entry.name)
    except OSError as error:
        raise SignatureError(f"{folder / prefix} cannot be read: {error.strerror}.") from None
    for entry in entries:
        path = f"{prefix}{entry.name}"
        if entry.is_symlink():
            raise SignatureError(f"{path} is a link; put the file itself there.")
        if not entry.is_dir(follow_symlinks=False):
            yield path
        elif entry.name != _IGNORED_FOLDER:
            if path.count("/") >= _DEEPEST:
                raise SignatureError(f"{path} is deeper than {_DEEPEST} levels.")
            yield from _walk(folder, f"{path}/")


def _read(path: Path) -> bytes:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise SignatureError(f"{path.name} is no plain file.")
            data = file.read(LARGEST_FILE_BYTES + 1)
    except OSError as error:
        raise SignatureError(f"{path.name} cannot be read: {error.strerror}.") from None
    if len(data) > LARGEST_FILE_BYTES:
        raise SignatureError(f"{path.name} is larger than {LARGEST_FILE_BYTES} bytes.")
    return data
