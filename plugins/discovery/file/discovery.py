"""Targets from files."""

import json
from collections.abc import Sequence
from typing import cast

import yaml

from detectviz.contracts.config import get_texts
from detectviz.contracts.discovery import DiscoveryContext, FoundFile, TargetGroup
from detectviz.contracts.errors import PluginError
from detectviz.contracts.target_groups import read_target_groups
from detectviz.contracts.types import JsonValue


class FileDiscovery:
    """Reads target groups as Prometheus' file_sd_configs; no file at all is no target."""

    async def discover(self, context: DiscoveryContext) -> Sequence[TargetGroup]:
        """Return the groups of all files; raise PluginError naming the file that is wrong."""
        groups: list[TargetGroup] = []
        for pattern in get_texts(context.config, "files"):
            for file in await context.files.read(pattern):
                extra = {"__meta_filepath": file.name}
                groups += read_target_groups(_document(file), source=file.name, labels=extra)
        return groups


def _document(file: FoundFile) -> JsonValue:
    try:
        text = file.content.decode()
        if file.name.endswith(".json"):
            return cast("JsonValue", json.loads(text))
        return cast("JsonValue", yaml.safe_load(text))
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        raise PluginError(f"{file.name} can't be understood: {error}") from error
