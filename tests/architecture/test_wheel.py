"""The built wheel is the whole product: nothing of it is needed from a checkout."""

import json
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Mapping
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from detectviz.testing.services import free_port, run_server
from tests.architecture.sources import ROOT

PACKAGES = ("detectviz", "apps", "plugins")
RESOURCES = ("templates", "static", "compositions", "fixtures")
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
pytestmark = [pytest.mark.wheel, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the wheel, built without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    offline = ("--no-deps", "--no-build-isolation", "--no-index")
    subprocess.run([*PIP, "wheel", *offline, "--wheel-dir", folder, ROOT], check=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def program(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return `detectviz` of an environment that has the wheel, its libraries and no checkout."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    (site,) = folder.glob("lib/python*/site-packages")
    # Named in a .pth file, the folder gives its libraries, but follows no .pth files of its own:
    # that of an editable installation of ours leads nowhere.
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib"))
    offline = ("--no-deps", "--no-index", "--ignore-installed")
    subprocess.run([*PIP, "--python", python, "install", *offline, wheel], check=True)
    return folder / "bin" / "detectviz"


@pytest.fixture
def environment(tmp_path: Path) -> Mapping[str, str]:
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path),
        "LANG": "C.UTF-8",
        "DETECTVIZ_PORT": str(free_port()),
        "DETECTVIZ_SYS_PORT": str(free_port()),
    }


def tracked(folder: str) -> set[str]:
    """Return the files of a folder that belong to the project."""
    done = subprocess.run(
        ["git", "ls-files", "-z", folder], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode == 0 and done.stdout:
        return set(done.stdout.rstrip("\0").split("\0"))
    found = (path for path in (ROOT / folder).rglob("*") if path.is_file())
    return {str(each.relative_to(ROOT)) for each in found if "__pycache__" not in each.parts}


def told(program: Path, environment: Mapping[str, str], folder: Path, *words: str) -> str:
    """Return what a command prints in ``folder``."""
    done = subprocess.run(
        [program, *words], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout


def fetched(environment: Mapping[str, str], path: str) -> tuple[int, str]:
    connection = HTTPConnection("127.0.0.1", int(environment["DETECTVIZ_PORT"]), timeout=30)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def test_every_tracked_file_of_the_product_is_in_the_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        inside = set(archive.namelist())
    expected = {path for folder in PACKAGES for path in tracked(folder)}
    expected |= {f"detectviz/_resources/{path}" for each in RESOURCES for path in tracked(each)}
    assert len(expected) > 1_000
    assert not expected - inside
    tops = {name.partition("/")[0] for name in inside}
    assert {each for each in tops if not each.endswith(".dist-info")} == set(PACKAGES)


def test_an_installed_wheel_runs_from_an_empty_folder(
    program: Path, environment: Mapping[str, str], tmp_path: Path
) -> None:
    with run_server(
        [program, "up"],
        ready=lambda: fetched(environment, "/healthz")[0] == 200,
        timeout_s=180,
        stop_timeout_s=40,
        cwd=tmp_path,
        env=environment,
    ):
        status, page = fetched(environment, "/login")
        assert (status, "Sign in" in page) == (200, True)
        sheet = next(part for part in page.split('"') if part.endswith(".css"))
        assert fetched(environment, urlsplit(sheet).path)[0] == 200
        status, answer = fetched(environment, "/apis/")
        assert (status, json.loads(answer)["code"]) == (401, "not-authenticated")

        listed = told(program, environment, tmp_path, "plugins", "list")
        names = sorted(path.parent for path in (ROOT / "plugins").glob("*/*/plugin.yaml"))
        assert len(names) > 100
        assert sum(" core " in line for line in listed.splitlines()) == len(names)
        valid = told(program, environment, tmp_path, "validate", "dev-platform")
        assert "dev-platform is valid" in valid
    assert [each.name for each in tmp_path.iterdir()] == ["var"]
