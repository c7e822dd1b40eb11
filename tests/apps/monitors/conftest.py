"""Both databases for what is raw SQL, and collectors of our own."""

import json
from collections.abc import Iterator
from typing import cast

import pytest

from apps.extensions.selectors import plugin_host_use
from apps.series.services import series_store_use
from detectviz.pluginhost.host import PluginHost
from detectviz.pluginhost.pipeline import scan
from detectviz.testing.plugins import PLUGINS
from detectviz.tsdb.interface import SeriesStore
from tests.factories.series import RecordingStore

PROBE_SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Probe",
    "type": "object",
    "additionalProperties": False,
    "required": ["host"],
    "properties": {
        "host": {"type": "string", "format": "hostname", "title": "Host", "x-target": True},
        "port": {"type": "integer", "minimum": 1, "maximum": 65535, "default": 80},
        "answer": {"enum": ["up", "degraded", "down", "unknown"], "default": "up"},
        "token": {"type": "string", "writeOnly": True, "title": "Token"},
    },
}
PROBE_MANIFEST = """
api_version: detectviz/v1
name: probe
kind: collectors
version: 1.0.0
title: Probe
description: Answers what its configuration says.
category: custom
engine_version: ">=0.1,<1"
capability: probe:ProbeCollector
permissions:
  network: [tcp]
  secrets: [token]
"""
PROBE_CODE = """
from detectviz.contracts.collector import CheckResult, Metric
from detectviz.contracts.types import CheckState


class ProbeCollector:
    async def check(self, context):
        return CheckResult(
            state=CheckState(context.config["answer"]),
            message="as configured",
            duration_s=0.01,
            metrics=(Metric(name="probe_ip_protocol", value=4),),
            evidence={"token_length": len(context.secrets.get("token", ""))},
        )
"""


@pytest.fixture(scope="session")
def probe_plugins(tmp_path_factory: pytest.TempPathFactory) -> PluginHost:
    """Return the built-in plugins and the collector ``probe``."""
    root = tmp_path_factory.mktemp("plugins")
    folder = root / "collectors" / "probe"
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "plugin.yaml").write_text(PROBE_MANIFEST)
    (folder / "config.schema.json").write_text(json.dumps(PROBE_SCHEMA))
    (folder / "probe.py").write_text(PROBE_CODE)
    return PluginHost(scan([PLUGINS, root]))


@pytest.fixture
def probe(probe_plugins: PluginHost) -> Iterator[None]:
    """Have the collector ``probe`` beside the built-in ones."""
    plugin_host_use(probe_plugins)
    yield
    plugin_host_use(None)


@pytest.fixture
def store() -> Iterator[RecordingStore]:
    """Put a recording store in the place of the process's own."""
    recording = RecordingStore()
    series_store_use(cast("SeriesStore", recording))
    yield recording
    series_store_use(None)
