"""Private copies of verified plugins, for processes that read files instead of memory.

A plugin in a process of its own starts again and again from files; they are those that were
judged, not what somebody writes into the plugin's folder later. A copy lies in
``<kind>/<name>/<digest>/plugins/<kind>/<name>``, so that it is importable where nothing hides.
"""

import secrets
import shutil
from pathlib import Path

from detectviz.contracts.manifest import Manifest
from detectviz.pluginhost.bundles import write_files
from detectviz.pluginhost.files import PluginFiles, read_files
from detectviz.pluginhost.manifest import folder_name
from detectviz.pluginhost.signing import SignatureError
from detectviz.pluginhost.trust import digest_of


def copy_make(files: PluginFiles, manifest: Manifest, root: Path, *, prefix: str = "") -> Path:
    """Return the folder of a copy below ``root``, written unless there is a whole one.

    ``prefix`` is the path of the plugin among ``files``. Raise OSError when the disk refuses.
    """
    inner = PluginFiles(
        contents={
            path.removeprefix(prefix): data
            for path, data in files.contents.items()
            if path.startswith(prefix)
        }
    )
    digest = digest_of(inner)
    name = folder_name(manifest.name)
    place = root / manifest.kind.value / name / digest[:32]
    folder = place / "plugins" / manifest.kind.value / name
    if _is_whole(folder, digest):
        return folder
    staging = place.with_name(f".new-{secrets.token_hex(8)}")
    try:
        write_files(inner, staging / folder.relative_to(place))
        shutil.rmtree(place, ignore_errors=True)
        staging.replace(place)
    except OSError:
        if not _is_whole(folder, digest):  # else another process was faster
            raise
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return folder


def copies_prune(root: Path, plugin: str) -> None:
    """Remove all copies of ``kind/name``; a process that still needs one makes it again."""
    kind, _, name = plugin.partition("/")
    shutil.rmtree(root / kind / folder_name(name), ignore_errors=True)


def _is_whole(folder: Path, digest: str) -> bool:
    try:
        return digest_of(read_files(folder)) == digest
    except SignatureError:
        return False
