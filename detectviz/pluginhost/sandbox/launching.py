"""How the child of a plugin is started: what it sees, and what it is told."""

import logging
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import detectviz.contracts
from detectviz.contracts.manifest import Manifest
from detectviz.pluginhost.errors import PluginHostError
from detectviz.pluginhost.kinds import KINDS
from detectviz.pluginhost.loading import package_name
from detectviz.pluginhost.manifest import folder_name
from detectviz.pluginhost.sandbox import bubblewrap, child
from detectviz.pluginhost.sandbox.libraries import interpreter, library_paths
from detectviz.pluginhost.sandbox.limits import SandboxPolicy, own_uid
from detectviz.pluginhost.sandbox.process import Launch

logger = logging.getLogger(__name__)
CODE: Final = "/code"
SITE: Final = "/site"
_BOOT: Final = (
    "import sys; sys.path[:0] = sys.argv[1:]; "
    "from detectviz.pluginhost.sandbox.child.server import main; main()"
)
_READABLE: Final = 0o005
_FLAGS: Final = ("-I", "-S", "-B", "-X", "utf8")


class SandboxUnavailableError(PluginHostError):
    """The machine cannot isolate plugins, and the setting does not let them run without."""


def plugin_launch(folder: Path, manifest: Manifest, policy: SandboxPolicy) -> Callable[[], Launch]:
    """Return how children of the plugin are started; raise SandboxUnavailableError."""
    obstacle = bubblewrap.find_obstacle()
    if own_uid() and folder.stat().st_mode & _READABLE != _READABLE:
        raise SandboxUnavailableError(
            f"The plugin's process is an unprivileged user and may not read {folder}; run: "
            f"chmod -R o+rX {folder}",
            kind=manifest.kind,
            name=manifest.name,
        )
    if not obstacle:
        return lambda: _confined(folder, manifest, policy)
    if policy.confinement == "require":
        raise SandboxUnavailableError(
            f"The plugin must run isolated and cannot here: {obstacle}. Install bubblewrap and "
            "allow user namespaces, or set DETECTVIZ_PLUGIN_SANDBOX=degrade to run it with limits "
            "and a system call filter only.",
            kind=manifest.kind,
            name=manifest.name,
        )
    logger.warning(
        "plugin %s/%s runs DEGRADED, without a view of its own: it can read what this user can "
        "(%s)",
        manifest.kind.value,
        manifest.name,
        obstacle,
    )
    return lambda: _degraded(folder, manifest, policy)


def _confined(folder: Path, manifest: Manifest, policy: SandboxPolicy) -> Launch:
    view = bubblewrap.View(
        shown=(
            *bubblewrap.python_view(),
            *_code(folder, manifest),
            *((path, f"{SITE}/{path.name}") for path in library_paths(manifest.requirements)),
            *_files(manifest, policy),
        ),
        masked=bubblewrap.python_masks(),
        scratch_bytes=policy.limits.scratch_bytes,
    )
    argv = [str(interpreter()), *_FLAGS, "-c", _BOOT, CODE, SITE]
    return Launch(
        label=f"{manifest.kind.value}/{manifest.name}",
        argv=tuple(bubblewrap.command(view, argv)),
        environment=bubblewrap.ENVIRONMENT,
        greeting=_greeting(manifest, policy),
    )


def _degraded(folder: Path, manifest: Manifest, policy: SandboxPolicy) -> Launch:
    """Return a start without bubblewrap: limits, identity and system calls, but every file."""
    root = Path(detectviz.contracts.__file__).parents[2]
    paths = [str(root), sysconfig.get_path("purelib")]
    return Launch(
        label=f"{manifest.kind.value}/{manifest.name}",
        argv=(str(interpreter()), *_FLAGS, "-c", _BOOT, *paths),
        environment=bubblewrap.ENVIRONMENT,
        greeting={**_greeting(manifest, policy), "folder": str(folder)},
    )


def _code(folder: Path, manifest: Manifest) -> tuple[tuple[Path, str], ...]:
    contracts = Path(detectviz.contracts.__file__).parent
    runtime = Path(child.__file__).parent
    place = f"plugins/{manifest.kind.value}/{folder_name(manifest.name)}"
    return (
        (contracts, f"{CODE}/detectviz/contracts"),
        (runtime, f"{CODE}/detectviz/pluginhost/sandbox/child"),
        (folder, f"{CODE}/{place}"),
    )


def _files(manifest: Manifest, policy: SandboxPolicy) -> tuple[tuple[Path, str], ...]:
    """Return the files the plugin declared, but nothing of the system's own and of the hidden."""
    shown = []
    for text in manifest.permissions.files:
        path = Path(text)
        if not path.is_absolute() or not path.exists() or ".." in path.parts:
            continue
        real = path.resolve()
        if not _is_hidden(real, policy.hidden):
            shown.append((real, text))
    return tuple(shown)


def _is_hidden(path: Path, hidden: tuple[Path, ...]) -> bool:
    system = [Path(each) for each in ("/proc", "/sys", "/dev", "/run", "/boot", "/root")]
    places = [*system, *(each.resolve() for each in hidden), Path.home().resolve()]
    return any(path.is_relative_to(each) or each.is_relative_to(path) for each in places)


def _greeting(manifest: Manifest, policy: SandboxPolicy) -> dict[str, Any]:
    walls = policy.limits.walls(uid=own_uid(), may_fork=False, may_connect=False)
    return {
        "package": package_name(manifest.kind, manifest.name),
        "capability": manifest.capability,
        "contract": KINDS[manifest.kind].contract.partition(":")[0],
        "folder": "",
        "walls": walls,
        "files": [text for _, text in _files(manifest, policy)],
    }
