"""The script collector, with scripts run as in production."""

import logging
import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest

from detectviz.contracts.collector import CheckResult, CollectorContext
from detectviz.contracts.errors import PluginError
from detectviz.contracts.types import CheckState, PluginKind
from detectviz.pluginhost.configuration import fill_defaults
from detectviz.pluginhost.sandbox import bubblewrap
from detectviz.pluginhost.sandbox.commands import CommandsHost
from detectviz.pluginhost.sandbox.limits import Limits, SandboxPolicy
from detectviz.testing.networks import BadNetwork, every_misbehaviour
from detectviz.testing.plugins import built_in_plugins
from detectviz.testing.services import services_are_required

LIMITS = Limits(
    memory_bytes=200_000_000, processes=20, file_bytes=8_388_608, scratch_bytes=4_194_304
)


@pytest.fixture(autouse=True)
def _sandbox() -> None:
    obstacle = bubblewrap.find_obstacle()
    if obstacle and not services_are_required():
        pytest.skip(f"bubblewrap: {obstacle}")
    assert not obstacle


def write(folder: Path, body: str, *, org: str = "acme", name: str = "check") -> Path:
    path = folder / org / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


async def check(
    folder: Path,
    *,
    org: str = "acme",
    timeout_s: float = 5.0,
    secrets: Mapping[str, str] | None = None,
    **config: Any,
) -> CheckResult:
    plugins = built_in_plugins()
    manifest = plugins.manifest(PluginKind.COLLECTOR, "script")
    host = CommandsHost(folder=folder, policy=SandboxPolicy(limits=LIMITS))
    context = CollectorContext(
        monitor="m",
        config=fill_defaults(manifest.config_schema, {"script": "check", **config}),
        secrets=secrets or {},
        timeout_s=timeout_s,
        network=BadNetwork(every_misbehaviour()[0]),
        now=lambda: datetime.now(UTC),
        monotonic=time.monotonic,
        logger=logging.getLogger("script"),
        commands=host.runner(org),
    )
    return await plugins.load(PluginKind.COLLECTOR, "script").check(context)


async def test_a_nagios_plugin_says_how_it_is(tmp_path: Path) -> None:
    write(tmp_path, "echo 'QUEUE WARNING - 12 waiting | waiting=12;10;20'; exit 1")
    result = await check(tmp_path)
    assert (result.state, result.message) == (CheckState.DEGRADED, "QUEUE WARNING - 12 waiting")
    names = {metric.name: metric.value for metric in result.metrics}
    assert names["probe_script_perfdata"] == 12
    assert names["probe_script_exit_code"] == 1


async def test_arguments_environment_and_input_arrive_as_they_are_written(tmp_path: Path) -> None:
    write(tmp_path, 'echo "$1|$2|$COLOUR|$(cat)"')
    result = await check(
        tmp_path, arguments=["$(id)", "; ls"], environment={"COLOUR": "b l"}, stdin="in"
    )
    assert result.evidence["output"] == "$(id)|; ls|b l|in\n"


async def test_a_secret_goes_in_by_input_and_does_not_come_out(tmp_path: Path) -> None:
    write(tmp_path, 'read it; echo "$it ${#it}"; env; ps ax 2>/dev/null; true')
    result = await check(tmp_path, secrets={"secret_stdin": "s3cr3t-word\n"})
    assert "s3cr3t-word" not in f"{result.message}{result.evidence}"
    assert " 11" in result.message


async def test_it_sees_no_data_no_environment_no_network_and_no_other_org(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DETECTVIZ_SECRET_KEY", "canary")
    write(tmp_path, "echo other", org="other")
    (tmp_path / "master.key").write_text("canary")
    write(
        tmp_path,
        f"cat {tmp_path}/master.key {tmp_path}/other/check /etc/shadow /proc/1/environ; env; "
        "ls /scripts/../other; echo x > /scripts/x; echo x > /usr/x; echo x > /x; id -u; "
        "cat /proc/net/dev | tail -n +3; exit 0",
    )
    result = await check(tmp_path)
    output = str(result.evidence["output"])
    assert "canary" not in output
    assert "other\n" not in output
    assert "\n0\n" not in output
    assert "eth" not in output
    assert not (tmp_path / "acme" / "x").exists()


@pytest.mark.parametrize(
    "script", ["../other/check", "/bin/sh", "missing", "a/../../other/check", "link"]
)
async def test_only_scripts_of_the_own_folder_are_run(tmp_path: Path, script: str) -> None:
    write(tmp_path, "echo other", org="other")
    write(tmp_path, "echo mine")
    (tmp_path / "acme" / "link").symlink_to("/bin/sh")
    with pytest.raises(PluginError):
        await check(tmp_path, script=script)


async def test_one_that_others_may_write_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "echo mine").chmod(0o777)
    with pytest.raises(PluginError, match="not writable for everybody"):
        await check(tmp_path)


@pytest.mark.parametrize("name", ["LD_PRELOAD", "PATH", "BASH_ENV", "PYTHONPATH", "IFS"])
async def test_variables_that_change_the_code_are_refused(tmp_path: Path, name: str) -> None:
    write(tmp_path, "echo mine")
    with pytest.raises(PluginError, match=name):
        await check(tmp_path, environment={name: "x"})


async def test_at_the_timeout_it_and_what_it_started_is_ended(tmp_path: Path) -> None:
    write(tmp_path, "setsid sleep 4711.5 & sleep 4711.5")
    started = time.monotonic()
    result = await check(tmp_path, timeout_s=1.0)
    assert result.state is CheckState.DOWN
    assert "did not end within" in result.message
    assert time.monotonic() - started < 20
    await gone("4711.5")


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("yes", "more than 1048576 bytes"),
        ("a=x; while :; do a=$a$a; done", ""),
        ("f() { f | f & }; f; sleep 1; echo ok; exit 2", ""),
        ("dd if=/dev/zero of=/tmp/x bs=1M count=100 || exit 2", ""),
    ],
    ids=["output", "memory", "fork", "disk"],
)
async def test_it_takes_no_more_than_its_limits(tmp_path: Path, body: str, why: str) -> None:
    write(tmp_path, body)
    started = time.monotonic()
    result = await check(tmp_path, timeout_s=4.0)
    assert time.monotonic() - started < 20
    assert result.state in {CheckState.DOWN, CheckState.UNKNOWN}, result
    assert why in result.message
    assert os.getpid()


async def gone(argument: str) -> None:
    """Fail unless no process with ``argument`` is left soon."""
    ends_at = time.monotonic() + 20
    while any(
        argument in (each.info["cmdline"] or []) for each in psutil.process_iter(["cmdline"])
    ):
        assert time.monotonic() < ends_at
        time.sleep(0.05)  # noqa: ASYNC251 - waits for the kernel, and nothing else runs here
