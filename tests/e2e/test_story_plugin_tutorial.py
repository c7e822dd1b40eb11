"""The tutorial of plugins, done as a stranger does it: every block, in order, elsewhere."""

import os
import re
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest

from detectviz.testing.plugins import PROJECT_ROOT
from detectviz.testing.services import free_port
from detectviz.testing.stranger import Stranger

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]

TUTORIAL: Final = PROJECT_ROOT / "docs" / "plugin-tutorial.md"
PORT: Final = "8000"
_LIMIT_S: Final = 360
_BLOCK = re.compile(r"^```sh\n(.*?)^```(?:\n\n```text\n(.*?)^```)?", re.DOTALL | re.MULTILINE)  # noqa: TID251 - our own constant
_REFUSED = re.compile(r"^(.*\S)  # refused$", re.MULTILINE)  # noqa: TID251 - our own constant
_HEAD = """set -euo pipefail
trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT
refused() { if "$@"; then echo "this was not refused: $*"; exit 1; fi; }
"""


@pytest.fixture
def blocks() -> list[tuple[str, list[str]]]:
    text = TUTORIAL.read_text(encoding="utf-8").replace(PORT, str(free_port()))
    return [(script, said.splitlines()) for script, said in _BLOCK.findall(text)]


def test_every_block_does_what_the_tutorial_says(
    blocks: list[tuple[str, list[str]]], tmp_path: Path
) -> None:
    stranger = Stranger(tmp_path)
    scripts = [_REFUSED.sub(r"refused \1", block) for block, _ in blocks]
    script = "".join(f"echo '@@{number}'\n{each}" for number, each in enumerate(scripts))
    status, said = run_script(_HEAD + script, stranger, tmp_path)
    assert status == 0, said
    printed = re.split(r"^@@\d+\n", said, flags=re.MULTILINE)[1:]
    for (block, wanted), part in zip(blocks, printed, strict=True):
        assert_said(wanted, part, block)


def run_script(script: str, stranger: Stranger, folder: Path) -> tuple[int, str]:
    """Return exit status and output; what still runs then, or at the time limit, is killed."""
    environment = {**stranger.environment, "DETECTVIZ_SYS_PORT": str(free_port())}
    log = folder / "printed.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            ["/bin/bash", "-c", script],
            cwd=folder,
            env=environment,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            status = process.wait(_LIMIT_S)
        except subprocess.TimeoutExpired:
            status = -1
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return status, log.read_text(encoding="utf-8", errors="replace")


def assert_said(wanted: list[str], said: str, block: str) -> None:
    """Fail unless the lines stand in what was said, in this order; … is anything."""
    place = 0
    for line in wanted:
        pattern = ".*".join(re.escape(part.strip()) for part in line.split("…"))
        found = re.search(pattern, said[place:])
        assert found, f"{block}\nshould have printed: {line}\nprinted:\n{said}"
        place += found.end()
