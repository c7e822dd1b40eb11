"""The files a plugin shows in browsers: those of its ``static`` folder, by a hash of all of them.

Only what one walk of the folder found is ever opened: a path from outside is a key of a table and
never becomes a path of the file system (the mistake of CVE-2021-43798).
"""

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from detectviz.pluginhost.description import PluginDescription, PluginKey

FOLDER: Final = "static"
LARGEST_BYTES: Final = 5_000_000
_MOST_FILES: Final = 500
_HASH_LETTERS: Final = 20
TYPES: Final[Mapping[str, str]] = {
    ".css": "text/css; charset=utf-8",
    ".gif": "image/gif",
    ".ico": "image/x-icon",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
}
"""What may be served, and as what. HTML is not: it would run in our origin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assets:
    """The files of one version of a plugin. ``digest`` changes when any of them does."""

    digest: str
    files: Mapping[str, bytes]

    def find(self, path: str) -> tuple[bytes, str] | None:
        """Return content and type of a file, None where the walk found none of that name."""
        content = self.files.get(path)
        return None if content is None else (content, TYPES[PurePosixPath(path).suffix.lower()])


class AssetShelf:
    """Reads the assets of a plugin once for each of its versions."""

    def __init__(self) -> None:
        self._read: dict[PluginKey, tuple[str, Assets]] = {}

    def of(self, plugin: PluginDescription) -> Assets:
        """Return the assets of a plugin as its folder has them."""
        kept = self._read.get(plugin.key)
        if kept is None or kept[0] != plugin.fingerprint:
            kept = self._read[plugin.key] = (plugin.fingerprint, assets_read(plugin.folder))
        return kept[1]


def assets_read(folder: Path) -> Assets:
    """Read what ``folder/static`` may show: known types, no links, nothing hidden or too large."""
    files: dict[str, bytes] = {}
    for path in _walk(folder / FOLDER):
        if len(files) == _MOST_FILES:
            break
        files[path.relative_to(folder / FOLDER).as_posix()] = path.read_bytes()
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(f"{name}\0{len(files[name])}\0".encode())
        digest.update(files[name])
    return Assets(digest=digest.hexdigest()[:_HASH_LETTERS], files=files)


def _walk(root: Path) -> Iterator[Path]:
    if root.is_symlink():
        return
    for place, folders, names in os.walk(root):
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        for name in sorted(names):
            path = Path(place) / name
            is_shown = path.suffix.lower() in TYPES and not name.startswith(".")
            is_own = path.is_file() and not path.is_symlink()
            if is_shown and is_own and path.stat().st_size <= LARGEST_BYTES:
                yield path
