"""A plugin written by an enemy, and the loader that is to hold it."""

import json
import logging
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent

import pytest
import yaml

from detectviz.contracts.collector import CollectorContext
from detectviz.contracts.types import JsonValue, PluginKind
from detectviz.net.guard import EgressPolicy
from detectviz.net.network import EngineNetwork
from detectviz.pluginhost.manifest import read_manifest
from detectviz.pluginhost.sandbox import bubblewrap
from detectviz.pluginhost.sandbox.limits import Limits, SandboxPolicy
from detectviz.pluginhost.sandbox.proxy import IsolatedPlugin, isolated_loader
from detectviz.testing.services import services_are_required

LIMITS = Limits(memory_bytes=700_000_000, grace_s=0.3, processes=24, scratch_bytes=4_194_304)

PluginWriter = Callable[..., Path]
Isolate = Callable[..., IsolatedPlugin]


@pytest.fixture(scope="session")
def bubblewrap_works() -> None:
    """Require bubblewrap, and a kernel that lets it work."""
    obstacle = bubblewrap.find_obstacle()
    if obstacle and not services_are_required():
        pytest.skip(f"bubblewrap: {obstacle}")
    assert not obstacle


@pytest.fixture
def write_plugin(tmp_path: Path) -> PluginWriter:
    """Return a function that writes a plugin of ``code`` and returns its folder."""

    def write(
        code: str, *, kind: str = "collectors", capability: str = "Enemy", **extra: object
    ) -> Path:
        folder = tmp_path / "plugins" / kind / "enemy"
        folder.mkdir(parents=True)
        manifest = {
            "api_version": "detectviz/v1",
            "name": "enemy",
            "kind": kind,
            "version": "1.0.0",
            "title": "Enemy",
            "description": "Wants out.",
            "category": "custom",
            "engine_version": ">=0.1,<1",
            "capability": f"enemy:{capability}",
            **extra,
        }
        schema = {"type": "object", "additionalProperties": False, "properties": {}}
        (folder / "plugin.yaml").write_text(yaml.safe_dump(manifest))
        (folder / "config.schema.json").write_text(json.dumps(schema))
        (folder / "enemy.py").write_text(dedent(code))
        return folder

    return write


@pytest.fixture
def isolate(bubblewrap_works: None) -> Iterator[Isolate]:
    """Return a function that loads a folder into a process of its own; ended with the test."""
    loaded: list[IsolatedPlugin] = []

    def load(folder: Path, *, policy: SandboxPolicy | None = None) -> IsolatedPlugin:
        manifest, problems = read_manifest(folder, PluginKind(folder.parent.name))
        assert manifest is not None, problems
        chosen = policy or SandboxPolicy(limits=LIMITS)
        plugin = isolated_loader(chosen)(folder, manifest)
        loaded.append(plugin)
        return plugin

    yield load
    for plugin in loaded:
        plugin.close()


def context(*, timeout_s: float = 3.0, monitor: str = "m", **config: JsonValue) -> CollectorContext:
    """Return the context of a check; its network may reach loopback."""
    return CollectorContext(
        monitor=monitor,
        config=config,
        secrets={"token": "of-this-monitor"},
        timeout_s=timeout_s,
        network=EngineNetwork(EgressPolicy(allow=["127.0.0.0/8"], allow_private=False)),
        now=lambda: datetime.now(UTC),
        monotonic=time.monotonic,
        logger=logging.getLogger("enemy"),
    )
