"""The view a child has of the machine, as arguments of bubblewrap.

Nothing but what is listed is there: no data directory, no home, no settings, no network, no other
process; and nothing is writable but a small scratch folder in memory. The environment is what the
starting of bubblewrap is given: on its command line others could read it.
"""

import os
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from detectviz.pluginhost.sandbox.child.walls import NOBODY
from detectviz.pluginhost.sandbox.libraries import interpreter, python_paths

ENVIRONMENT: Final = {
    "LANG": "C.UTF-8",
    "PATH": "/usr/bin:/bin",
    "HOME": "/tmp",  # noqa: S108 - the child's own scratch folder, in memory
    "TMPDIR": "/tmp",  # noqa: S108 - likewise
    # Threads of BLAS reserve address space that the limit would have to allow for.
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
}
_SYSTEM: Final = ("/lib", "/lib32", "/lib64", "/bin", "/sbin")
_SHARED: Final = ("/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/libexec")
_DATA: Final = ("/usr/share/zoneinfo", "/etc/ld.so.cache")
_PROBE_S: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What a child sees: pairs of a real path and where it appears, all read-only."""

    shown: tuple[tuple[Path, str], ...] = ()
    masked: tuple[str, ...] = ()
    scratch_bytes: int = 33_554_432
    has_network: bool = False


def command(view: View, argv: Sequence[str]) -> list[str]:
    """Return the command that runs ``argv`` inside ``view``."""
    program = shutil.which("bwrap") or "bwrap"
    return [program, *_arguments(view), "--", *argv]


def python_view() -> tuple[tuple[Path, str], ...]:
    """Return the interpreter and its library, where they are."""
    return tuple((path, str(path)) for path in python_paths())


def python_masks() -> tuple[str, ...]:
    """Return the folders of installed packages beside the standard library, which stay hidden."""
    stdlib = Path(sysconfig.get_path("stdlib"))
    places = [stdlib / "site-packages", stdlib / "dist-packages", Path("/usr/lib/python3")]
    return tuple(str(path) for path in places if path.is_dir())


@cache
def find_obstacle() -> str:
    """Return why bubblewrap cannot be used on this machine, empty when it can."""
    if shutil.which("bwrap") is None:
        return "bubblewrap is not installed (package bubblewrap)"
    view = View(shown=python_view(), masked=python_masks())
    try:
        done = subprocess.run(  # noqa: S603 - our own command
            command(view, [str(interpreter()), "-I", "-S", "-c", ""]),
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PROBE_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"bubblewrap does not start: {error}"
    if done.returncode:
        return f"bubblewrap is refused here: {done.stderr.decode(errors='replace').strip()[:300]}"
    return ""


def _arguments(view: View) -> Iterator[str]:
    yield from _namespaces(view)
    yield from _system()
    # Folders made on the way to a mount would be closed to the user inside.
    for parent in sorted({str(each) for _, place in view.shown for each in Path(place).parents}):
        if parent != "/":
            yield from ("--perms", "0755", "--dir", parent)
    for path, place in view.shown:
        yield from ("--ro-bind", str(path), place)
    for place in view.masked:
        yield from ("--tmpfs", place, "--remount-ro", place)
    yield from ("--proc", "/proc", "--dev", "/dev", "--remount-ro", "/dev")
    yield from ("--perms", "1777", "--size", str(view.scratch_bytes), "--tmpfs", "/tmp")  # noqa: S108 - the child's own
    yield from ("--remount-ro", "/", "--chdir", "/tmp")  # noqa: S108 - the child's own


def _namespaces(view: View) -> Iterator[str]:
    if os.geteuid() == 0:
        # As root the identity is given up inside (walls.py): a user of one's own has limits that
        # are counted, and root inside a user namespace of root would still be root to files.
        yield from ("--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-cgroup-try")
        yield from ("--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID")
        if not view.has_network:
            yield "--unshare-net"
    else:
        yield from ("--unshare-all", "--unshare-user", "--disable-userns")
        yield from ("--uid", str(NOBODY), "--gid", str(NOBODY))
        if view.has_network:
            yield "--share-net"
    yield from ("--die-with-parent", "--new-session", "--hostname", "sandbox")


def _system() -> Iterator[str]:
    for place in (*_SYSTEM, *_SHARED):
        path = Path(place)
        if path.is_symlink():
            yield from ("--symlink", os.readlink(path), place)  # noqa: PTH115 - as it is written
        elif path.is_dir() and place not in {"/bin", "/sbin"}:
            yield from ("--ro-bind", place, place)
    for place in _DATA:
        yield from ("--ro-bind-try", place, place)
