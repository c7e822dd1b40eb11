"""A plugin written by an enemy harms nobody: every way out that was thought of is tried.

It runs as its own process with the real walls; what it could do it says in its evidence.
"""

import asyncio
import os
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from detectviz.contracts.collector import CheckResult
from detectviz.contracts.errors import PluginError
from detectviz.pluginhost.sandbox.proxy import IsolatedPlugin
from tests.detectviz.pluginhost.sandbox.conftest import Isolate, PluginWriter, context

ENEMY = """
import os, socket, struct, sys, threading, time
from detectviz.contracts.collector import CheckResult
from detectviz.contracts.types import CheckState


def outcome(attempt):
    try:
        return f"done: {attempt()!r}"[:300]
    except BaseException as error:
        return f"{type(error).__name__}: {error}"[:300]


def to_host(data):
    for number in range(3, 30):
        try:
            stream = socket.socket(fileno=os.dup(number))
            stream.sendall(data)
        except OSError:
            continue


class Enemy:
    async def check(self, context):
        do = getattr(self, context.config["do"])
        found = do(context.config)
        return CheckResult(state=CheckState.UP, message="tried", evidence=found or {})

    def nothing(self, config):
        return {"pid": os.getpid()}

    def fork(self, config):
        def bomb():
            for _ in range(10_000):
                os.fork()
        return {
            "fork": outcome(bomb),
            "spawn": outcome(lambda: os.posix_spawn("/usr/lib/x", ["x"], {})),
            "execute": outcome(lambda: os.execv(sys.executable, [sys.executable, "-c", ""])),
        }

    def threads(self, config):
        def many():
            for _ in range(10_000):
                threading.Thread(target=time.sleep, args=(1,), daemon=True).start()
        return {"threads": outcome(many)}

    def memory(self, config):
        kept = []
        def eat():
            while True:
                kept.append(bytearray(50_000_000))
        found = {"memory": outcome(eat), "blocks": len(kept)}
        kept.clear()
        return found

    def disk(self, config):
        def fill(place):
            def write():
                with open(place, "wb") as file:
                    for _ in range(2_000):
                        file.write(b"x" * 1_000_000)
            return outcome(write)
        places = ("/tmp/x", "/x", "/dev/shm/x", "/dev/x", "/code/x", "/proc/x", "/var/x")
        return {place: fill(place) for place in places}

    def network(self, config):
        def connect():
            return socket.create_connection(("127.0.0.1", config["port"]), 1)
        return {
            "tcp": outcome(connect),
            "udp": outcome(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)),
            "raw": outcome(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW)),
            "netlink": outcome(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)),
            "unix": outcome(lambda: socket.socket(socket.AF_UNIX).connect(config["unix"])),
            "abstract": outcome(lambda: socket.socket(socket.AF_UNIX).connect("\\0detectviz")),
        }

    def read(self, config):
        found = {place: outcome(lambda: open(place, "rb").read(100)) for place in config["files"]}
        found["environment"] = sorted(os.environ)
        found["root"] = sorted(os.listdir("/"))
        found["processes"] = sorted(each for each in os.listdir("/proc") if each.isdigit())
        found["home"] = outcome(lambda: os.listdir(config["home"]))
        return found

    def imports(self, config):
        return {name: outcome(lambda: __import__(name)) for name in config["names"]}

    def identity(self, config):
        import ctypes
        libc = ctypes.CDLL(None, use_errno=True)
        status = open("/proc/self/status").read()
        return {
            "uid": os.getuid(),
            "root": outcome(lambda: os.setuid(0)),
            "signal": outcome(lambda: os.kill(1, 0)) if False else "",
            "unshare": libc.unshare(0x10000000),
            "mount": libc.mount(b"none", b"/tmp", b"tmpfs", 0, None),
            "trace": libc.ptrace(16, 1, 0, 0),
            "capabilities": [line for line in status.splitlines() if line.startswith("CapEff")],
            "privileges": [line for line in status.splitlines() if line.startswith("NoNew")],
        }

    def keep(self, config):
        seen = getattr(type(self), "seen", [])
        type(self).seen = [*seen, config["text"]]
        return {"seen": type(self).seen, "pid": os.getpid(), "disk": outcome(self.scratch(config))}

    def scratch(self, config):
        def use():
            with open("/tmp/kept", "a+") as file:
                file.write(config["text"])
                file.seek(0)
                return file.read()
        return use

    def huge_frame(self, config):
        to_host(struct.pack(">I", 2**31) + b"x" * 100)
        time.sleep(5)

    def garbage(self, config):
        to_host(struct.pack(">I", 12) + b"not json at all"[:12])
        time.sleep(5)

    def deep(self, config):
        body = b"[" * 200_000
        to_host(struct.pack(">I", len(body)) + body)
        time.sleep(5)

    def foreign_answer(self, config):
        body = b'{"jsonrpc":"2.0","id":999,"result":null}'
        to_host(struct.pack(">I", len(body)) + body)
        time.sleep(5)

    def forbidden_service(self, config):
        import json
        for name in ("__class__", "_policy", "aclose", "__init__"):
            params = {"call": config["call"], "handle": 0, "method": name, "arguments": {}}
            body = json.dumps(
                {"jsonrpc": "2.0", "id": f"x{name}", "method": "service", "params": params}
            ).encode()
            to_host(struct.pack(">I", len(body)) + body)
        time.sleep(0.3)

    def flood(self, config):
        while True:
            print("noise " * 1_000, flush=True)

    def hang(self, config):
        while True:
            pass

    def leave(self, config):
        os._exit(3)

    def lie(self, config):
        return {"x": "y" * 30_000_000}
"""

HOME = str(Path.home() / ".profile")
PLACES = ("/etc/passwd", "/etc/shadow", "/proc/1/environ", "/proc/kcore", HOME)


@pytest.fixture
def enemy(write_plugin: PluginWriter, isolate: Isolate) -> IsolatedPlugin:
    return isolate(write_plugin(ENEMY))


async def attack(plugin: IsolatedPlugin, do: str, **config: Any) -> dict[str, Any]:
    answer: CheckResult = await plugin.check(context(do=do, **config))  # type: ignore[attr-defined] # the class is made of the contract
    return dict(answer.evidence)


async def test_it_can_start_no_process(enemy: IsolatedPlugin) -> None:
    found = await attack(enemy, "fork")
    assert all(text.startswith("PermissionError") for text in found.values()), found


async def test_its_threads_are_counted(enemy: IsolatedPlugin) -> None:
    found = await attack(enemy, "threads")
    assert found["threads"].startswith("RuntimeError"), found


async def test_its_memory_ends_at_the_limit(enemy: IsolatedPlugin) -> None:
    found = await attack(enemy, "memory", timeout_s=20)
    assert found["memory"].startswith("MemoryError")
    assert found["blocks"] * 50_000_000 < 700_000_000


async def test_it_can_fill_no_disk(enemy: IsolatedPlugin) -> None:
    found = await attack(enemy, "disk")
    assert all(
        text.startswith(("OSError", "FileNotFound", "Permission")) for text in found.values()
    ), found
    assert "No space" in found["/tmp/x"] or "too large" in found["/tmp/x"]


async def test_it_reaches_no_network(enemy: IsolatedPlugin, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(tmp_path / "s"))
        unix.listen()
        port = server.getsockname()[1]
        found = await attack(enemy, "network", port=port, unix=str(tmp_path / "s"))
    assert not [text for text in found.values() if text.startswith("done")], found


async def test_it_reads_no_secret_no_data_and_no_environment(
    enemy: IsolatedPlugin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "master.key").write_text("secret")
    monkeypatch.setenv("DETECTVIZ_SECRET_KEY", "canary")
    files = [*PLACES, str(tmp_path / "master.key"), f"/proc/{os.getpid()}/environ"]
    found = await attack(enemy, "read", files=files, home=str(tmp_path))
    texts = {name: text for name, text in found.items() if isinstance(text, str)}
    opened = [name for name, text in texts.items() if text.startswith("done")]
    # Process 1 of its own namespace is the reaper, whose environment is the host's no more.
    assert not [name for name in opened if name != "/proc/1/environ"], found
    assert "canary" not in str(found)
    assert not [name for name in found["environment"] if name.startswith("DETECTVIZ")]
    assert len(found["processes"]) <= 3
    assert not {"work", "home", "etc/passwd"} & set(found["root"])


async def test_it_imports_contracts_and_nothing_else_of_the_host(enemy: IsolatedPlugin) -> None:
    hidden = ["detectviz.settings", "detectviz.pluginhost.client", "detectviz.net", "apps"]
    hidden += ["detectviz.crypto", "django", "celery", "requests", "psutil"]
    found = await attack(enemy, "imports", names=[*hidden, "detectviz.contracts.frames"])
    assert found.pop("detectviz.contracts.frames").startswith("done")
    assert all("ModuleNotFoundError" in text for text in found.values()), found


async def test_it_is_nobody_and_cannot_become_more(enemy: IsolatedPlugin) -> None:
    found = await attack(enemy, "identity")
    assert found["uid"] != 0
    assert found["root"].startswith("PermissionError")
    assert (found["unshare"], found["mount"], found["trace"]) == (-1, -1, -1)
    assert found["capabilities"] == ["CapEff:\t0000000000000000"]
    assert found["privileges"] == ["NoNewPrivs:\t1"]


@pytest.mark.parametrize("way", ["huge_frame", "garbage", "deep", "foreign_answer", "leave"])
async def test_breaking_the_protocol_ends_it_and_it_starts_again(
    enemy: IsolatedPlugin, way: str
) -> None:
    before = (await attack(enemy, "nothing"))["pid"]
    started = time.monotonic()
    with pytest.raises(PluginError, match="process ended"):
        await attack(enemy, way)
    assert time.monotonic() - started < 5
    with pytest.raises(PluginError, match="starts again in"):
        await attack(enemy, "nothing")
    assert "starts again in" in enemy.waiting()
    await until_it_answers(enemy)
    assert enemy.waiting() == ""
    assert before


async def test_a_frame_of_its_own_reaches_no_method_outside_of_the_contract(
    enemy: IsolatedPlugin,
) -> None:
    await attack(enemy, "forbidden_service", call=1)
    assert (await attack(enemy, "nothing"))["pid"]


async def test_an_answer_larger_than_a_frame_is_an_error(enemy: IsolatedPlugin) -> None:
    with pytest.raises(PluginError, match="over the"):
        await attack(enemy, "lie")


@pytest.mark.parametrize("way", ["hang", "flood"])
async def test_one_that_hangs_is_ended_in_time_and_the_loop_goes_on(
    enemy: IsolatedPlugin, way: str
) -> None:
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.02)
            ticks += 1

    beside = asyncio.create_task(tick())
    started = time.monotonic()
    with pytest.raises(PluginError):
        await enemy.check(context(do=way, timeout_s=0.3))  # type: ignore[attr-defined] # as above
    beside.cancel()
    assert time.monotonic() - started < 5
    assert ticks > 3
    await until_it_answers(enemy)


async def until_it_answers(plugin: IsolatedPlugin) -> None:
    """Ask until the back-off is over."""
    ends_at = time.monotonic() + 8
    while True:
        try:
            await attack(plugin, "nothing")
        except PluginError:
            assert time.monotonic() < ends_at
            await asyncio.sleep(0.05)
        else:
            return
