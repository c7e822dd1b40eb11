"""A plugin folder that can be spoilt in one place at a time."""

import base64
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from detectviz.clock import utc_now
from detectviz.contracts.types import JsonObject
from detectviz.pluginhost.bundles import bundle_write
from detectviz.pluginhost.files import read_files
from detectviz.pluginhost.installing import plugin_sign
from detectviz.pluginhost.signing import SIGNATURE_FILE, key_id_of
from detectviz.pluginhost.trust import TrustPolicy
from detectviz.pluginhost.truststate import TrustState
from detectviz.pluginhost.truststores import trust_files_read

MANIFEST: dict[str, object] = {
    "api_version": "detectviz/v1",
    "name": "dummy",
    "kind": "collectors",
    "version": "1.0.0",
    "title": "Dummy",
    "description": "Says up.",
    "category": "core",
    "engine_version": ">=0.1,<1",
    "capability": "dummy:DummyCollector",
}
SCHEMA: JsonObject = {
    "type": "object",
    "additionalProperties": False,
    "required": ["host"],
    "properties": {
        "host": {
            "type": "string",
            "format": "hostname",
            "title": "Host",
            "description": "Name or address.",
            "x-target": True,
        },
        "port": {
            "type": "integer",
            "minimum": 1,
            "maximum": 65535,
            "default": 80,
            "title": "Port",
            "description": "TCP port.",
        },
    },
}
CODE = '''"""A collector that says up."""

from detectviz.contracts.collector import CheckResult, CollectorContext
from detectviz.contracts.types import CheckState


class DummyCollector:
    """Says up."""

    async def check(self, context: CollectorContext) -> CheckResult:
        """Say up."""
        return CheckResult(state=CheckState.UP, message="fine")
'''

PluginMaker = Callable[..., Path]


@pytest.fixture
def make_plugin(tmp_path: Path) -> PluginMaker:
    """Return a function that writes a plugin below ``tmp_path/plugins`` and returns its folder."""

    def make(
        *,
        folder: str = "dummy",
        kind: str = "collectors",
        source: str = "plugins",
        schema: JsonObject = SCHEMA,
        code: str = CODE,
        **changes: object,
    ) -> Path:
        place = tmp_path / source / kind / folder
        place.mkdir(parents=True)
        manifest = {**MANIFEST, "kind": kind, **changes}
        kept = {name: value for name, value in manifest.items() if value is not None}
        (place / "plugin.yaml").write_text(yaml.safe_dump(kept))
        (place / "config.schema.json").write_text(json.dumps(schema))
        (place / "dummy.py").write_text(code)
        (place / "__init__.py").write_text("")
        (place / "README.md").write_text("# Dummy\n")
        (place / "icon.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
        return place

    return make


class Signer:
    """A key, a trust folder that believes it, and the plugins it signed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = Ed25519PrivateKey.generate()
        self.public_key = self.key.public_key().public_bytes_raw()
        self.key_id = key_id_of(self.public_key)

    def trust(self, level: str = "verified", name: str = "store", **changes: object) -> None:
        """Have the store ``name`` vouch for the key; ``changes`` are of the store's file."""
        key = {"public_key": base64.b64encode(self.public_key).decode(), "registries": ["*"]}
        document = {"name": name, "level": level, "keys": [key], **changes}
        place = self.folder / "trust" / f"{name}.yaml"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(yaml.safe_dump(document))

    def rules(self, **document: object) -> None:
        """Write the rules."""
        (self.folder / "trust").mkdir(parents=True, exist_ok=True)
        (self.folder / "trust" / "rules.yaml").write_text(yaml.safe_dump(document))

    def policy(self, **changes: Any) -> TrustPolicy:
        """Return what is believed now."""
        files = trust_files_read(self.folder / "trust")
        state = TrustState(self.folder / "state" / "seen.json")
        return TrustPolicy(state=state, files=files, **changes)

    def sign(self, plugin: Path, *, days: int = 30, issued_at: datetime | None = None) -> bytes:
        """Sign a plugin's folder and return its bundle."""
        now = issued_at or utc_now() - timedelta(minutes=1)
        signature = plugin_sign(
            plugin, self.key, issued_at=now, expires_at=now + timedelta(days=days)
        )
        (plugin / SIGNATURE_FILE).write_bytes(signature)
        return bundle_write(read_files(plugin))


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    """Return a key that is believed as far as ``verified``."""
    made = Signer(tmp_path)
    made.trust()
    return made
