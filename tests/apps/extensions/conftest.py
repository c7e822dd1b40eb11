"""A host of plugins in a folder of the test's own, under the process's policy."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from apps.extensions import selectors
from apps.extensions.selectors import host_options, plugin_host_use, policy_holder
from detectviz.pluginhost.host import PluginHost
from detectviz.pluginhost.pipeline import scan
from detectviz.pluginhost.store import Store

CODE = """
class Probe:
    version = "{version}"

    async def check(self, context): ...
"""

PluginWriter = Callable[..., Path]


@pytest.fixture
def write_plugin(tmp_path: Path) -> PluginWriter:
    """Return a function that writes a collector below ``tmp_path/plugins``."""

    def write(name: str = "probe", version: str = "1.0.0", **changes: Any) -> Path:
        folder = tmp_path / "plugins" / "collectors" / name
        folder.mkdir(parents=True, exist_ok=True)
        manifest = {
            "api_version": "detectviz/v1",
            "name": name,
            "kind": "collectors",
            "version": version,
            "title": name.title(),
            "description": "Looks.",
            "category": "custom",
            "engine_version": ">=0.1",
            "capability": "probe:Probe",
            **changes,
        }
        (folder / "plugin.yaml").write_text(yaml.safe_dump(manifest))
        (folder / "config.schema.json").write_text(json.dumps({"type": "object"}))
        settings = {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "region": {"type": "string", "title": "Region", "description": "Where."},
                "token": {
                    "type": "string",
                    "title": "Token",
                    "description": "Proof.",
                    "writeOnly": True,
                },
            },
        }
        (folder / "settings.schema.json").write_text(json.dumps(settings))
        (folder / "probe.py").write_text(CODE.format(version=version))
        return folder

    return write


@pytest.fixture
def trust_folder(tmp_path: Path) -> Path:
    """Return a trust folder whose rules let unsigned plugins run in the host's processes."""
    folder = tmp_path / "trust"
    folder.mkdir()
    rule = {"pattern": "*", "signature": "optional", "isolated": False}
    (folder / "rules.yaml").write_text(yaml.safe_dump({"rules": [rule]}))
    return folder


@pytest.fixture
def host(
    write_plugin: PluginWriter,
    trust_folder: Path,
    settings: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[PluginHost]:
    """Have the process's host find the collector ``probe``, here and when it looks again."""

    def scan_again() -> Store:
        return scan([tmp_path / "plugins"], judge=selectors.gate.judge)

    settings.PLUGIN_TRUST_DIR = trust_folder
    write_plugin()
    monkeypatch.setattr(selectors, "plugins_scan", scan_again)
    monkeypatch.setattr("apps.extensions.services.following.plugins_scan", scan_again)
    made = PluginHost(scan_again(), host_options())
    plugin_host_use(made)
    yield made
    plugin_host_use(None)
    policy_holder().forget()
