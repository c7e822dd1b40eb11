"""What is said about settings that can't work, and which variable it names."""

import os
import re
import subprocess
import sys
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from detectviz.checks import sentence, settings_problems
from detectviz.settings.env import embedded_hosts
from detectviz.testing.services import free_port


@pytest.fixture(autouse=True)
def private_data_dir(tmp_path: Path, settings: Settings) -> Path:
    (tmp_path / "secrets").mkdir(mode=0o700)
    settings.DATA_DIR = tmp_path
    return tmp_path


STANDARD = {"IS_EMBEDDED": False, "REDIS_URL": "redis://127.0.0.1:6379/0"}
POSTGRES = "django.db.backends.postgresql"


def change(settings: Settings, monkeypatch: pytest.MonkeyPatch, changed: dict[str, Any]) -> None:
    """Change settings; ENGINE is the default database's."""
    for name, value in changed.items():
        if name == "ENGINE":
            monkeypatch.setitem(settings.DATABASES["default"], "ENGINE", value)
        else:
            setattr(settings, name, value)


@pytest.mark.parametrize(
    ("changed", "identifier", "variable"),
    [
        ({"ALLOWED_HOSTS": []}, "detectviz.E001", "DETECTVIZ_ALLOWED_HOSTS"),
        ({"EXTERNAL_URL": "detectviz.example"}, "detectviz.E002", "DETECTVIZ_EXTERNAL_URL"),
        ({"EXTERNAL_URL": "ftp://a.example"}, "detectviz.E002", "DETECTVIZ_EXTERNAL_URL"),
        ({"EXTERNAL_URL": "https://a.example"}, "detectviz.W003", "DETECTVIZ_TRUSTED_PROXIES"),
        ({"PORT": 9000, "SYS_PORT": 9000}, "detectviz.E004", "DETECTVIZ_SYS_PORT"),
        (STANDARD, "detectviz.E005", "DETECTVIZ_DATABASE_URL"),
        (
            {**STANDARD, "REDIS_URL": "http://x", "ENGINE": POSTGRES},
            "detectviz.E006",
            "DETECTVIZ_REDIS_URL",
        ),
        ({"TSDB_URL": "influx+http://x"}, "detectviz.E007", "DETECTVIZ_TSDB_URL"),
        (
            {"EMAIL_USE_TLS": True, "EMAIL_USE_SSL": True},
            "detectviz.E008",
            "DETECTVIZ_SMTP_STARTTLS",
        ),
        ({"CONNECTIVITY_TARGETS": ("a",)}, "detectviz.E009", "DETECTVIZ_CONNECTIVITY_TARGETS"),
        ({"CONNECTIVITY_TARGETS": ("a:0",)}, "detectviz.E009", "DETECTVIZ_CONNECTIVITY_TARGETS"),
        ({"PLUGIN_DIRS": (Path("/nowhere"),)}, "detectviz.W010", "DETECTVIZ_PLUGIN_DIRS"),
        ({"MASTER_KEYS": "a:b,a:c"}, "detectviz.E202", "DETECTVIZ_MASTER_KEYS"),
    ],
)
def test_a_setting_that_cannot_work_is_told_with_the_variable_to_change(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    changed: dict[str, Any],
    identifier: str,
    variable: str,
) -> None:
    change(settings, monkeypatch, changed)

    (problem,) = settings_problems()

    assert problem.id == identifier
    assert problem.is_serious() == ("W" not in identifier)
    assert problem.hint
    assert variable in sentence(problem)


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"EXTERNAL_URL": "https://a.example", "TRUSTED_PROXIES": (ip_network("127.0.0.1/32"),)},
        {**STANDARD, "ENGINE": POSTGRES, "TSDB_URL": "victoriametrics+http://x:8428"},
    ],
)
def test_settings_that_work_are_passed_in_silence(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, changed: dict[str, Any]
) -> None:
    change(settings, monkeypatch, changed)

    assert settings_problems() == []


def test_secrets_that_others_may_read_are_told(private_data_dir: Path) -> None:
    key = private_data_dir / "secrets" / "secret-key"
    key.write_text("x", encoding="ascii")
    key.chmod(0o644)

    (problem,) = settings_problems()

    assert problem.id == "detectviz.W011"
    assert str(key) in problem.msg
    assert "chmod" in (problem.hint or "")


@pytest.mark.parametrize(
    ("host", "external_url", "names"),
    [
        ("127.0.0.1", "http://127.0.0.1:8080", {"localhost", "127.0.0.1", "[::1]"}),
        ("::1", "http://[::1]:8080", {"localhost", "127.0.0.1", "[::1]"}),
        (
            "192.0.2.5",
            "http://mon.example",
            {"localhost", "127.0.0.1", "[::1]", "192.0.2.5", "mon.example"},
        ),
        ("0.0.0.0", "http://mon.example", {"*"}),
        ("::", "http://mon.example", {"*"}),
    ],
)
def test_the_embedded_product_answers_to_its_own_names_only(
    host: str, external_url: str, names: set[str]
) -> None:
    assert set(embedded_hosts(host, external_url)) == names


def test_up_says_what_is_wrong_instead_of_showing_a_trace(tmp_path: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DETECTVIZ_")}  # noqa: TID251 - the child's own
    environment = {
        **kept,
        "DJANGO_SETTINGS_MODULE": "detectviz.settings",
        "DETECTVIZ_DATA_DIR": str(tmp_path / "data"),
        "DETECTVIZ_PORT": str(free_port()),
        "DETECTVIZ_TSDB_URL": "influx+http://127.0.0.1",
    }
    manage = Path(__file__).parents[2] / "manage.py"

    ran = subprocess.run(
        [sys.executable, manage, "up"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert ran.returncode == 1
    assert re.search(r"DETECTVIZ_TSDB_URL is wrong: no series store .* use one of", ran.stderr)
    assert "Traceback" not in ran.stderr
