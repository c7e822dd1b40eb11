"""A plugin folder that can be spoilt in one place at a time."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from detectviz.contracts.types import JsonObject

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
