"""Run a command with a private PostgreSQL as the product's database.

``python -m detectviz.testing.on_postgresql pytest tests/apps`` is the same suite on the other
database; each worker of pytest-xdist makes its own in the one server.
"""

import os
import subprocess
import sys
from collections.abc import Sequence

from detectviz.testing.databases import postgresql_server
from detectviz.testing.services import missing_programs, services_are_required

PROGRAMS = ("initdb", "postgres")
PACKAGE = "postgresql"


def main(command: Sequence[str]) -> int:
    """Return the command's exit status; without PostgreSQL 0, or 1 where it must be there."""
    if missing_programs(PROGRAMS):
        sys.stderr.write(f"Skipped: install {PACKAGE} to run this on it as well.\n")
        return int(services_are_required())
    with postgresql_server() as url:
        env = {**os.environ, "DETECTVIZ_DATABASE_URL": url}  # noqa: TID251 - the child's environment
        return subprocess.run(command, env=env, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
