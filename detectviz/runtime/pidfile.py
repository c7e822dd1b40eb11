"""The file that says which process runs here, locked while it does."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class AlreadyRunningError(RuntimeError):
    """Another process holds the file; the message names it."""


@contextmanager
def pid_file(path: Path, *, is_sole: bool = True) -> Iterator[None]:
    """Hold ``path`` with our process id in it; raise AlreadyRunningError while another does.

    The lock is the kernel's and of this process alone: a file left by a killed process is no
    hindrance, and children do not keep it. Unless ``is_sole`` several may run with one folder,
    as workers do: the file has the latest.
    """
    with path.open("a+", encoding="ascii") as file:
        try:
            if is_sole:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            raise AlreadyRunningError(
                f"Process {file.read().strip() or 'unknown'} already runs with {path}; stop it, "
                "or choose another --data-dir."
            ) from error
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
