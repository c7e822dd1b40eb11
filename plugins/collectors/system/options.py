"""The options of a check, patterns compiled."""

from dataclasses import dataclass
from typing import Protocol

import re2

from detectviz.contracts.config import get_bool, get_text, get_texts
from detectviz.contracts.errors import ConfigurationError
from detectviz.contracts.types import JsonObject


class Pattern(Protocol):
    """A compiled RE2 pattern."""

    def search(self, text: str) -> object | None:
        """Return a match anywhere in ``text``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What is read; a pattern that is None matches nothing in particular."""

    groups: tuple[str, ...]
    is_per_core: bool
    mount_points: tuple[Pattern | None, Pattern | None]
    types: tuple[Pattern | None, Pattern | None]
    disks_left_out: Pattern | None
    interfaces_left_out: Pattern | None

    @classmethod
    def read(cls, config: JsonObject) -> "Options":
        """Read the options; raise ConfigurationError for what is no RE2 pattern."""
        return cls(
            groups=get_texts(config, "collectors"),
            is_per_core=get_bool(config, "cpu_per_core", default=True),
            mount_points=(
                _pattern(config, "mount_points_include"),
                _pattern(config, "mount_points_exclude"),
            ),
            types=(_pattern(config, "fs_types_include"), _pattern(config, "fs_types_exclude")),
            disks_left_out=_pattern(config, "disk_device_exclude"),
            interfaces_left_out=_pattern(config, "network_device_exclude"),
        )

    def wants_file_system(self, mount_point: str, kind: str) -> bool:
        """Return whether the file system is read."""
        return _is_wanted(mount_point, *self.mount_points) and _is_wanted(kind, *self.types)

    def wants_disk(self, device: str) -> bool:
        """Return whether the disk is written."""
        return _is_wanted(device, None, self.disks_left_out)

    def wants_interface(self, device: str) -> bool:
        """Return whether the network interface is written."""
        return _is_wanted(device, None, self.interfaces_left_out)


def _is_wanted(text: str, included: Pattern | None, left_out: Pattern | None) -> bool:
    if left_out is not None and left_out.search(text):
        return False
    return included is None or included.search(text) is not None


def _pattern(config: JsonObject, name: str) -> Pattern | None:
    text = get_text(config, name)
    if not text:
        return None
    options = re2.Options()
    options.log_errors = False
    try:
        compiled: Pattern = re2.compile(text, options)
    except re2.error as error:
        raise ConfigurationError(f"{text!r} is no RE2 pattern.", field=f"/{name}") from error
    return compiled
