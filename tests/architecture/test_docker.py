"""The image and the compose file keep their promises: small, unprivileged, no default password."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from detectviz.testing.http_server import Answer, http_server
from detectviz.testing.services import free_port
from tests.architecture.sources import ROOT, variables_read

DOCKER = ROOT / "docker"
COMPOSE: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = ("web", "worker", "beat", "sys")
# The supervisor gives its processes 25 s; Docker must not be quicker.
SUPERVISOR_STOPS_IN_S = 25


def _instructions() -> list[tuple[str, str]]:
    text = (DOCKER / "Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    pairs = [line.split(maxsplit=1) for line in joined.splitlines() if line.strip()]
    return [(word.upper(), rest) for word, rest in pairs]


def _arguments(word: str) -> list[str]:
    return [rest for name, rest in _instructions() if name == word]


def test_the_base_image_is_pinned_to_python_and_debian() -> None:
    bases = [rest.split()[0] for rest in _arguments("FROM")]
    assert len(bases) == 2, "one stage builds, the other runs"
    assert set(bases) == {"python:3.11-slim-bookworm"}


def test_the_image_runs_as_a_numbered_user_that_is_not_root() -> None:
    (user,) = _arguments("USER")
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", user)
    last = [name for name, _ in _instructions()]
    assert "RUN" not in last[last.index("USER") :]


def test_the_image_installs_wheels_of_pinned_versions_only() -> None:
    installs = [rest for rest in _arguments("RUN") if "pip install" in rest]
    assert installs
    for install in installs:
        assert "--only-binary :all:" in install
        assert "--constraint constraints.txt" in install


def test_the_image_uses_neither_add_nor_leftovers_of_apt() -> None:
    assert _arguments("ADD") == []
    for run in _arguments("RUN"):
        assert "apt-get" not in run or "rm -rf /var/lib/apt/lists/*" in run
        assert "curl " not in run
        assert "sudo " not in run


def test_the_image_says_what_it_is_and_whether_it_is_alive() -> None:
    labels = " ".join(_arguments("LABEL"))
    for name in ("title", "description", "licenses", "version"):
        assert f"org.opencontainers.image.{name}=" in labels
    assert "healthcheck.py" in _arguments("HEALTHCHECK")[0]
    for word in ("ENTRYPOINT", "CMD"):
        assert _arguments(word)[0].startswith("["), "a shell would swallow SIGTERM"


def test_no_secret_is_built_into_the_image() -> None:
    for rest in [*_arguments("ENV"), *_arguments("ARG")]:
        assert not re.search(r"PASSWORD|SECRET|MASTER_KEYS|TOKEN", rest)


def test_the_build_context_holds_the_product_and_nothing_else() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    wanted = {line.removeprefix("!") for line in rules if line.startswith("!")}
    assert {"apps", "detectviz", "plugins", "templates", "static", "manage.py"} <= wanted
    assert not {"tests", "var", ".git", "docker", "docker/secrets"} & wanted


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_service_is_pinned_watched_bounded_and_stopped_gently(name: str) -> None:
    service = SERVICES[name]
    tag = service["image"].rpartition(":")[2]
    assert tag[0].isalnum()
    assert tag != "latest"
    assert any(character.isdigit() for character in tag)
    assert service["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}
    assert re.fullmatch(r"\d+s", service["stop_grace_period"])
    limits = service["deploy"]["resources"]["limits"]
    assert limits["cpus"]
    assert limits["memory"]
    assert service["restart"] == "unless-stopped"
    assert "no-new-privileges:true" in service["security_opt"]
    assert "privileged" not in service


@pytest.mark.parametrize("name", OURS)
def test_an_application_of_ours_is_read_only_and_waits_for_its_servers(name: str) -> None:
    service = SERVICES[name]
    assert service["command"] == ["up", "--app", name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert int(service["stop_grace_period"].removesuffix("s")) > SUPERVISOR_STOPS_IN_S
    assert service["depends_on"] == {
        server: {"condition": "service_healthy"}
        for server in ("postgres", "redis", "victoriametrics")
    }


def test_compose_names_only_variables_that_are_read() -> None:
    text = (DOCKER / "compose.yaml").read_text(encoding="utf-8")
    text += (DOCKER / "compose.env.example").read_text(encoding="utf-8")
    text += (DOCKER / "Dockerfile").read_text(encoding="utf-8")
    named = {name.removesuffix("_FILE") for name in re.findall(r"DETECTVIZ_[A-Z_]+", text)}
    assert named
    assert named - variables_read() == set()


def test_the_example_names_every_variable_that_compose_asks_for() -> None:
    text = (DOCKER / "compose.yaml").read_text(encoding="utf-8")
    asked = set(re.findall(r"\$\{([A-Z_]+)", text))
    example = (DOCKER / "compose.env.example").read_text(encoding="utf-8")
    assert asked == set(re.findall(r"^([A-Z_]+)=", example, re.MULTILINE))


def test_there_is_no_default_password() -> None:
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD|SECRET_KEY|MASTER_KEYS|_URL_FILE", name):
                assert name.endswith("_FILE"), name
                assert value.startswith("/run/secrets/"), name
    example = (DOCKER / "compose.env.example").read_text(encoding="utf-8")
    assert not re.search(r"PASSWORD=", example)


def test_every_secret_is_declared_mounted_and_made() -> None:
    mounted = {secret for service in SERVICES.values() for secret in service.get("secrets", ())}
    assert mounted == set(COMPOSE["secrets"])
    for service in SERVICES.values():
        text = yaml.safe_dump(service)
        used = set(re.findall(r"/run/secrets/([a-z_]+)", text))
        assert used <= set(service.get("secrets", ()))
    script = (DOCKER / "secrets.sh").read_text(encoding="utf-8")
    assert mounted == set(re.findall(r"^make_secret ([a-z_]+)", script, re.MULTILINE))


def test_databases_are_reached_from_inside_only() -> None:
    assert COMPOSE["networks"]["data"] == {"internal": True}
    for name in ("postgres", "redis", "victoriametrics"):
        assert SERVICES[name]["networks"] == ["data"]
        assert "ports" not in SERVICES[name]
    assert SERVICES["web"]["ports"][0].startswith("${WEB_PUBLISH:-127.0.0.1:")


def test_we_connect_to_postgresql_as_a_role_that_is_no_superuser() -> None:
    postgres = SERVICES["postgres"]
    superuser = postgres["environment"]["POSTGRES_USER"]
    script = (DOCKER / "postgres-role.sh").read_text(encoding="utf-8")
    (role,) = re.findall(r"CREATE ROLE (\w+) LOGIN PASSWORD :'password';", script)
    assert role != superuser
    assert f"CREATE DATABASE detectviz OWNER {role};" in script
    assert "./postgres-role.sh:/docker-entrypoint-initdb.d/role.sh:ro" in postgres["volumes"]
    made = (DOCKER / "secrets.sh").read_text(encoding="utf-8")
    assert f"postgresql://{role}:$(cat secrets/postgres_password)@postgres:5432/detectviz" in made


def test_victoriametrics_keeps_all_labels() -> None:
    assert "-maxLabelsPerTimeseries=65" in SERVICES["victoriametrics"]["command"]


def test_secrets_are_made_once_and_kept(tmp_path: Path) -> None:
    script = shutil.copy(DOCKER / "secrets.sh", tmp_path)
    subprocess.run(["sh", script], check=True, capture_output=True)
    folder = tmp_path / "secrets"
    first = {path.name: path.read_text(encoding="ascii") for path in folder.iterdir()}
    subprocess.run(["sh", script], check=True, capture_output=True)
    assert {path.name: path.read_text(encoding="ascii") for path in folder.iterdir()} == first
    assert first["postgres_password"] in first["database_url"]
    assert first["redis_password"] in first["redis_url"]
    assert len({first[name] for name in ("secret_key", "master_keys", "redis_password")}) == 3
    assert min(len(first[name]) for name in ("secret_key", "master_keys")) >= 50
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o444}


@pytest.mark.parametrize(("answer", "expected"), [(200, 0), (503, 1)])
def test_the_health_check_asks_by_the_name_we_answer_to(answer: int, expected: int) -> None:
    with http_server(lambda _: Answer(status=answer)) as server:
        port = server.url.rsplit(":", 1)[1].strip("/")
        assert _healthcheck("web", port) == expected
        assert server.requests[0].path == "/healthz"
        assert server.requests[0].headers["host"] == "detectviz.example"


def test_the_health_check_fails_when_nobody_listens() -> None:
    assert _healthcheck("web", str(free_port())) == 1


def _healthcheck(application: str, port: str) -> int:
    environment = {
        "PATH": os.environ["PATH"],  # noqa: TID251 - the test runner's own
        "DETECTVIZ_PORT": port,
        "DETECTVIZ_EXTERNAL_URL": "https://detectviz.example",
    }
    argv = [sys.executable, "-I", str(DOCKER / "healthcheck.py"), application]
    return subprocess.run(argv, env=environment, check=False, capture_output=True).returncode
