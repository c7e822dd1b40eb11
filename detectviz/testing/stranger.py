"""Somebody who has Detectviz as a library: commands and processes that know nothing else of us."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from detectviz.testing.plugins import PROJECT_ROOT

PACKAGES = ("detectviz", "apps", "plugins")
COMMANDS = {
    "detectviz": '-c "from detectviz.cli import main; main()"',
    "pytest": "-m pytest",
    "python": "",
    "python3": "",
}
COMMAND_TIMEOUT_S = 120


class Stranger:
    """Works in ``folder`` with ``detectviz`` and ``pytest``, as after `pip install -e`.

    Only what an installation has can be imported: not the tests of this project.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        libraries, commands = folder / ".installed" / "lib", folder / ".installed" / "bin"
        libraries.mkdir(parents=True)
        commands.mkdir()
        for package in PACKAGES:
            (libraries / package).symlink_to(PROJECT_ROOT / package)
        for name, words in COMMANDS.items():
            script = commands / name
            script.write_text(
                f'#!/bin/sh\nPYTHONPATH="{libraries}" exec "{sys.executable}" {words} "$@"\n'
            )
            script.chmod(0o755)
        self.environment: Mapping[str, str] = {
            "PATH": f"{commands}:{os.environ['PATH']}",  # noqa: TID251 - the test's own
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def run(self, *words: str, status: int = 0) -> str:
        """Run a command in the folder and return what it printed; fail on another exit status."""
        done = subprocess.run(
            [self.folder / ".installed" / "bin" / words[0], *words[1:]],
            cwd=self.folder,
            env=dict(self.environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=COMMAND_TIMEOUT_S,
        )
        assert done.returncode == status, f"{words}: {done.returncode}\n{done.stdout}"
        return done.stdout
