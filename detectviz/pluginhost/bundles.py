"""Bundles: a plugin as one file that every ``tar`` can list and that is read without parsing tar.

A bundle is an uncompressed ustar archive: ``signature.json``, then the files it lists in their
order. Everything in it but the contents follows from the signature, so a reader makes the headers
it expects and compares bytes. Links, devices, long names, extensions, a second entry of one name
or anything behind the end cannot be expressed, and nothing can expand: nothing is compressed.
"""

import hashlib
import os
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from detectviz.pluginhost.files import (
    LARGEST_PLUGIN_BYTES,
    MOST_FILES,
    PluginFiles,
    require_listing,
    require_same,
)
from detectviz.pluginhost.signing import (
    LARGEST_SIGNATURE_BYTES,
    SIGNATURE_FILE,
    SignatureError,
    Signed,
    read,
)

BUNDLE_ENDING = ".dvplugin"
_BLOCK = 512
_END = b"\0" * (2 * _BLOCK)
LARGEST_BUNDLE_BYTES = (
    LARGEST_PLUGIN_BYTES + LARGEST_SIGNATURE_BYTES + (MOST_FILES + 4) * 2 * _BLOCK
)
_SIZE_FIELD = slice(124, 136)


class BundleError(SignatureError):
    """The file is no bundle that we made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A bundle that was taken apart in memory. Not to be believed before the key was verified."""

    document: Signed
    listing: Mapping[str, tuple[str, int]]
    content: bytes
    signature: bytes

    def files(self) -> PluginFiles:
        """Take the files out, each compared with the list; raise BundleError. Verify first."""
        contents: dict[str, bytes] = {}
        position = 0
        for path, (_, size) in sorted(self.listing.items()):
            header = _header(path, size)
            if self.content[position : position + _BLOCK] != header:
                raise BundleError(f"The bundle is damaged at {path}; get it again.")
            position += _BLOCK
            contents[path] = self.content[position : position + size]
            position += size
            padding = -size % _BLOCK
            if self.content[position : position + padding] != b"\0" * padding:
                raise BundleError(f"The bundle is damaged behind {path}; get it again.")
            position += padding
        if self.content[position:] != _END:
            raise BundleError("The bundle does not end where it should; get it again.")
        files = PluginFiles(contents=contents, signature=self.signature)
        require_same(files, self.listing)
        return files


def bundle_write(files: PluginFiles) -> bytes:
    """Return the bundle of a signed plugin: the same files give the same bytes."""
    if files.signature is None:
        raise BundleError("The plugin is not signed; sign it first: detectviz plugins sign.")
    listing = require_listing(read(files.signature, "plugin").body["files"])
    require_same(files, listing)
    members = [(SIGNATURE_FILE, files.signature), *sorted(files.contents.items())]
    padded = (
        _header(path, len(data)) + data + b"\0" * (-len(data) % _BLOCK) for path, data in members
    )
    return b"".join(padded) + _END


def bundle_read(data: bytes, *, sha256: str = "") -> Bundle:
    """Return the bundle in ``data``, which must have the checksum where one is known."""
    if len(data) > LARGEST_BUNDLE_BYTES:
        raise BundleError("The bundle is larger than any plugin may be.")
    if sha256 and hashlib.sha256(data).hexdigest() != sha256:
        raise BundleError("The bundle does not have the checksum it should; get it again.")
    try:
        size = int(data[_SIZE_FIELD].rstrip(b"\0").decode("ascii"), 8)
    except (ValueError, UnicodeDecodeError):
        raise BundleError("This is no bundle of a plugin.") from None
    is_ours = 0 < size <= LARGEST_SIGNATURE_BYTES
    if not is_ours or data[:_BLOCK] != _header(SIGNATURE_FILE, size):
        raise BundleError("This is no bundle of a plugin.")
    signature = data[_BLOCK : _BLOCK + size]
    start = _BLOCK + size + -size % _BLOCK
    if data[_BLOCK + size : start].strip(b"\0"):
        raise BundleError("The bundle is damaged behind its signature; get it again.")
    document = read(signature, "plugin")
    listing = require_listing(document.body["files"])
    content = data[start:]
    return Bundle(document=document, listing=listing, content=content, signature=signature)


def write_files(files: PluginFiles, folder: Path) -> None:
    """Write the plugin into ``folder``, which must not exist, and have it reach the disk."""
    folder.mkdir(mode=0o755, parents=True)
    members = {**files.contents}
    if files.signature is not None:
        members[SIGNATURE_FILE] = files.signature
    for path, data in members.items():
        place = folder / path
        place.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        with os.fdopen(os.open(place, flags, 0o644), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())


def _header(path: str, size: int) -> bytes:
    member = tarfile.TarInfo(path)
    member.size, member.mode, member.mtime = size, 0o644, 0
    return member.tobuf(tarfile.USTAR_FORMAT, "ascii", "strict")
