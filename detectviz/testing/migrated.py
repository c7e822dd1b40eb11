"""What takes seconds on a product's first day, made once for tests that are not about that.

A migrated, empty SQLite database for each state of the migrations, to be copied: its name changes
with any migration, so that worktrees and runs share it and none can meet an outdated one. And a
folder of collected static files for each worktree, which the product itself keeps up to date.
Both lie in the temporary directory.
"""

import fcntl
import getpass
import hashlib
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DATABASE_NAME = "detectviz.sqlite"


def migrated_database(target: Path) -> None:
    """Put a migrated, empty database at ``target``, a path where there is none yet."""
    template = _template()
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(template, target)
    target.chmod(0o600)


def collected_static() -> Path:
    """Return the folder of static files that the products of this worktree's tests share."""
    name = hashlib.sha256(str(ROOT).encode()).hexdigest()[:24]
    return _folder() / f"static-{name}"


def _folder() -> Path:
    folder = Path(tempfile.gettempdir()) / f"detectviz-migrated-{getpass.getuser()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _template() -> Path:
    folder = _folder()
    found = folder / f"{_digest()}.sqlite"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not found.exists():
            _make(found)
    return found


def _digest() -> str:
    seen = hashlib.sha256()
    for path in _sources():
        seen.update(path.relative_to(ROOT).as_posix().encode())
        seen.update(path.read_bytes())
    return seen.hexdigest()[:24]


def _sources() -> Iterator[Path]:
    yield ROOT / "constraints.txt"  # some tables are those of packages
    yield ROOT / "detectviz" / "migrating.py"
    for folder in ("apps", "detectviz"):
        yield from sorted((ROOT / folder).glob("**/migrations/*.py"))
    yield from sorted((ROOT / "detectviz" / "tenancy").glob("*.py"))  # what runs after migrations


def _make(target: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="detectviz-migrated-") as folder:
        environment = {**os.environ, "DETECTVIZ_DATA_DIR": folder}  # noqa: TID251 - the child's
        environment.pop("DETECTVIZ_DATABASE_URL", None)
        subprocess.run(
            [sys.executable, str(ROOT / "manage.py"), "migrate", "--verbosity=0"],
            env=environment,
            check=True,
            cwd=folder,
        )
        database = sqlite3.connect(Path(folder) / DATABASE_NAME)
        part = target.with_suffix(".part")
        part.unlink(missing_ok=True)
        database.execute("VACUUM INTO ?", [str(part)])  # one file, without a write-ahead log
        database.close()
        part.replace(target)
