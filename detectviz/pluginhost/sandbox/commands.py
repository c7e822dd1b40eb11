"""Running the operator's programs behind the walls of isolated plugins, with room to fork."""

import asyncio
import contextlib
import json
import os
import signal
import stat
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Final

import psutil

from detectviz.contracts.commands import Command, CommandResult
from detectviz.contracts.errors import ConfigurationError, PluginError
from detectviz.pluginhost.sandbox import bubblewrap
from detectviz.pluginhost.sandbox.child import walls
from detectviz.pluginhost.sandbox.libraries import interpreter
from detectviz.pluginhost.sandbox.limits import Limits, SandboxPolicy, own_uid
from detectviz.pluginhost.sandbox.memory import tree_memory_bytes

LIMITS: Final = Limits(memory_bytes=536_870_912, processes=64, cpu_s=300, open_files=256)
SCRIPTS: Final = "/scripts"
_WALLS: Final = "/walls.py"
_FLAGS: Final = ("-I", "-S", "-B")
_LOOK_S: Final = 0.1
_CHUNK: Final = 65_536
_ERRORS_BYTES: Final = 65_536
_ETC: Final = ("alternatives", "ssl", "ca-certificates", "nsswitch.conf", "localtime", "mime.types")
_ETC_NETWORK: Final = ("resolv.conf", "hosts", "services", "protocols")
# What would change which code runs, rather than what it is told.
_FORBIDDEN: Final = ("LD_", "PYTHON", "PERL", "RUBY", "BASH_", "GIT_", "NODE_")
_FORBIDDEN_NAMES: Final = frozenset({"PATH", "HOME", "TMPDIR", "IFS", "ENV", "SHELLOPTS", "PS4"})


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandsHost:
    """Where the operator's programs lie: ``folder`` has one folder for each org."""

    folder: Path
    policy: SandboxPolicy = field(default_factory=lambda: SandboxPolicy(limits=LIMITS))
    has_network: bool = False

    def runner(self, org: str) -> "SandboxedCommands":
        """Return the runner for checks of ``org``."""
        return SandboxedCommands(self, self.folder / (org or "-"))

    def blocking_runner(self, org: str) -> "BlockingCommands":
        """Return the runner for notifications of ``org``, which are sent by worker threads."""
        return BlockingCommands(self.runner(org))


@dataclass(slots=True)
class _Output:
    """What was read, up to a cap."""

    most: int
    data: bytearray = field(default_factory=bytearray)
    is_full: bool = False

    async def read(self, stream: asyncio.StreamReader) -> None:
        while data := await stream.read(_CHUNK):
            self.data += data[: self.most - len(self.data)]
            if len(self.data) >= self.most:
                self.is_full = True
                return


@dataclass(frozen=True, slots=True)
class BlockingCommands:
    """contracts' BlockingCommandRunner: each run has an event loop of its own."""

    inner: "SandboxedCommands"

    def run(self, command: Command) -> CommandResult:
        """Run one program; as ``SandboxedCommands.run``."""
        return asyncio.run(self.inner.run(command))


class SandboxedCommands:
    """contracts' CommandRunner for one org."""

    def __init__(self, host: CommandsHost, folder: Path) -> None:
        self._host = host
        self._folder = folder

    async def run(self, command: Command) -> CommandResult:
        """Run one program; raise PluginError when it may not or cannot be started."""
        obstacle = await asyncio.to_thread(bubblewrap.find_obstacle)
        program = await asyncio.to_thread(self._program, command.program)
        require_environment(command.environment)
        environment = {**bubblewrap.ENVIRONMENT, **command.environment}
        started = time.monotonic()
        process = await asyncio.create_subprocess_exec(
            *self._argv(program, command, obstacle),
            env=environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        output, errors = _Output(command.max_output_bytes), _Output(_ERRORS_BYTES)
        try:
            ended_by = await self._follow(process, command, output, errors)
        finally:
            await _finish(process)
        return CommandResult(
            exit_code=None if ended_by else process.returncode,
            stdout=bytes(output.data),
            stderr=bytes(errors.data),
            duration_s=time.monotonic() - started,
            ended_by=ended_by,
        )

    async def _follow(
        self,
        process: asyncio.subprocess.Process,
        command: Command,
        output: _Output,
        errors: _Output,
    ) -> str:
        """Return why the program must be ended, empty when it ended itself."""
        streams = (process.stdin, process.stdout, process.stderr)
        stdin, stdout, stderr = streams
        if stdin is None or stdout is None or stderr is None:
            raise PluginError("The program has no streams.")
        tasks = [
            asyncio.create_task(each)
            for each in (_feed(stdin, command.stdin), output.read(stdout), errors.read(stderr))
        ]
        watch = asyncio.create_task(self._watch(process, output))
        try:
            async with asyncio.timeout(command.timeout_s):
                done = asyncio.gather(process.wait(), *tasks[1:])
                either: tuple[asyncio.Future[Any], ...] = (done, watch)
                await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
                if watch.done():
                    done.cancel()
                    return watch.result()
                return ""
        except TimeoutError:
            return f"it did not end within {command.timeout_s:g} s"
        finally:
            for task in (*tasks, watch):
                task.cancel()
            await asyncio.gather(*tasks, watch, return_exceptions=True)

    async def _watch(self, process: asyncio.subprocess.Process, output: _Output) -> str:
        """Return when a limit that the kernel does not count is passed."""
        most = self._host.policy.limits.memory_bytes
        while True:
            await asyncio.sleep(_LOOK_S)
            if output.is_full:
                return f"it wrote more than {output.most} bytes"
            if await asyncio.to_thread(tree_memory_bytes, process.pid) > most:
                return f"it and what it started used more than {most} bytes of memory"

    def _program(self, name: str) -> Path:
        """Return the file called ``name``; raise ConfigurationError."""
        parts = PurePosixPath(name).parts
        if not parts or name.startswith("/") or ".." in parts:
            raise ConfigurationError(
                f"Write a path below {self._folder}, without .. and without a leading slash.",
                field="/script",
            )
        root = self._folder.resolve()
        path = root.joinpath(*parts).resolve()
        if not path.is_relative_to(root) or not path.is_file():
            raise ConfigurationError(
                f"There is no script {name}; the operator puts scripts into {self._folder}.",
                field="/script",
            )
        mode = path.stat().st_mode
        if not mode & stat.S_IXUSR or mode & stat.S_IWOTH:
            raise ConfigurationError(
                f"The script {name} must be executable and not writable for everybody.",
                field="/script",
            )
        return path

    def _argv(self, program: Path, command: Command, obstacle: str) -> list[str]:
        host = self._host
        limits = host.policy.limits
        given = limits.walls(uid=own_uid(), may_fork=True, may_connect=host.has_network)
        if obstacle and host.policy.confinement == "require":
            raise PluginError(
                f"Scripts must run isolated and cannot here: {obstacle}. Install bubblewrap and "
                "allow user namespaces, or set DETECTVIZ_PLUGIN_SANDBOX=degrade.",
                permanent=True,
            )
        start = [str(interpreter()), *_FLAGS]
        if obstacle:
            file = str(Path(walls.__file__))
            return [*start, file, json.dumps(given), str(program), *command.arguments]
        root = self._folder.resolve()
        inside = f"{SCRIPTS}/{program.relative_to(root)}"
        argv = [*start, _WALLS, json.dumps(given), inside, *command.arguments]
        return bubblewrap.command(self._view(root), argv)

    def _view(self, root: Path) -> bubblewrap.View:
        names = (*_ETC, *(_ETC_NETWORK if self._host.has_network else ()))
        etc = [path for path in (Path("/etc") / name for name in names) if path.exists()]
        return bubblewrap.View(
            shown=(
                (Path("/usr"), "/usr"),
                *bubblewrap.python_view(),
                *((path.resolve(), str(path)) for path in etc),
                (Path(walls.__file__), _WALLS),
                (root, SCRIPTS),
            ),
            scratch_bytes=self._host.policy.limits.scratch_bytes,
            has_network=self._host.has_network,
        )


def require_environment(environment: Mapping[str, str]) -> None:
    """Raise ConfigurationError for variables that would change which code runs."""
    for name in environment:
        is_plain = name.replace("_", "a").isalnum() and name.isascii() and not name[0].isdigit()
        if not is_plain or name in _FORBIDDEN_NAMES or name.startswith(_FORBIDDEN):
            raise ConfigurationError(
                f"The variable {name} cannot be set for a script; use another name.",
                field="/environment",
            )


async def _feed(stream: asyncio.StreamWriter, data: bytes) -> None:
    with contextlib.suppress(ConnectionError):
        stream.write(data)
        await stream.drain()
    stream.close()


async def _finish(process: asyncio.subprocess.Process) -> None:
    """End what still runs, and wait for it."""
    _end(process)
    # asyncio waits for the end of pipes too, and one that was not read to its end has none.
    process._transport.close()  # type: ignore[attr-defined] # noqa: SLF001 - there is no other way
    await process.wait()


def _end(process: asyncio.subprocess.Process) -> None:
    """End the program, its group and its descendants; with bubblewrap the namespace goes too."""
    if process.returncode is not None:
        return
    family: list[psutil.Process] = []
    with contextlib.suppress(psutil.Error):
        family = psutil.Process(process.pid).children(recursive=True)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    for each in family:
        with contextlib.suppress(psutil.Error):
            each.kill()
