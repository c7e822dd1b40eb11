"""Benches that need Django run in a child process with a private data directory."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 90.0


def measured_in_child(module: str, **variables: str) -> Any:
    """Run ``module`` as a program on an empty, migrated database; return the JSON it prints."""
    with tempfile.TemporaryDirectory(prefix="detectviz-bench-") as folder:
        environment = {
            "PATH": os.environ["PATH"],  # noqa: TID251 - handed on to the child
            "HOME": folder,
            "PYTHONPATH": str(ROOT),
            "DJANGO_SETTINGS_MODULE": "detectviz.settings",
            "DETECTVIZ_DATA_DIR": folder,
            **variables,
        }
        for argv in (["manage.py", "migrate", "-v", "0"], ["-m", module]):
            done = subprocess.run(
                [sys.executable, *argv],
                cwd=ROOT,
                env=environment,
                stdout=subprocess.PIPE,
                check=True,
                timeout=TIMEOUT_S,
            )
        return json.loads(done.stdout)
